/** Flags of a store in etcd. Mirrors: apiserver pkg/server/options/etcd.go */
import { readFileSync } from "node:fs"
import type { EtcdStoreOptions } from "@knarr/store"
import { UsageError } from "../cluster-home.ts"
import { GivenFlags, type FlagGroup, type FlagValues } from "./flag-group.ts"

export const etcdFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "etcd-servers": "text",
    "etcd-prefix": "text",
    "etcd-cafile": "file",
    "etcd-certfile": "file",
    "etcd-keyfile": "file",
  },
  read(given) {
    const servers = given.list("etcd-servers")
    if (!servers) return {}
    if (servers.length === 0) throw new UsageError("--etcd-servers must be specified")
    if ((given.text("etcd-certfile") === undefined) !== (given.text("etcd-keyfile") === undefined))
      throw new UsageError("--etcd-certfile and --etcd-keyfile belong together")
    // Kube-apiservers may use the same etcd.
    return { storageFormat: "shared" }
  },
})

/** The etcd that the flags name, if any. Reads the files of certificates. */
export function etcdOptions(values: FlagValues): Omit<EtcdStoreOptions, "env"> | undefined {
  const given = new GivenFlags(values)
  const endpoints = given.list("etcd-servers")
  if (!endpoints) return undefined
  const read = (flag: string): Buffer | undefined => {
    const file = given.text(flag)
    return file === undefined ? undefined : readFileSync(file)
  }
  return {
    endpoints,
    prefix: given.text("etcd-prefix"),
    tls: { ca: read("etcd-cafile"), cert: read("etcd-certfile"), key: read("etcd-keyfile") },
    compactKey: "compact_rev_key",
  }
}
