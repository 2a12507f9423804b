/** `knarr store migrate`: moves a stopped cluster's objects into an etcd, or out of it. */
import { renameSync, rmSync } from "node:fs"
import { kinds } from "@knarr/api"
import { itemsOf, moveObjects } from "@knarr/apiserver"
import type { Env } from "@knarr/base"
import { type EtcdStoreOptions, openEmbeddedStore, openEtcdStore } from "@knarr/store"
import { etcdOptions, placeFlags } from "../api-server-flags/etcd.flags.ts"
import { apiServerFlags, keepApiServerFlags } from "../api-server-flags/order.ts"
import { UsageError } from "../cluster-home.ts"
import { clusterFlags, existingCluster } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"
import { refuseRunning, storeEnv } from "./snapshot.command.ts"

export const storeMigrate = defineCommand({
  name: "store migrate",
  usage: "[--name NAME] [--home DIR] --to etcd|embedded [--etcd-servers URLS] [FLAGS OF ETCD]",
  summary: "Move a stopped cluster's objects into an etcd, or from there into its own store",
  flags: {
    ...clusterFlags,
    to: { type: "string", value: "STORE", help: "Where the state goes: etcd or embedded." },
    ...Object.fromEntries(placeFlags.map((name) => [name, apiServerFlags[name]!])),
  },
  async run({ flags }, ctx) {
    const { cluster, config } = existingCluster(flags, ctx)
    refuseRunning(cluster)
    const { to } = flags
    if (to !== "etcd" && to !== "embedded") throw new UsageError('--to must be "etcd" or "embedded"')
    const kept = keepApiServerFlags(flags, config.apiServer)
    const etcd = etcdOptions(kept)
    if (!etcd) throw new UsageError("--etcd-servers must be specified")
    if (to === "etcd" && etcdOptions(config.apiServer ?? {}))
      throw new UsageError(`the state of the cluster "${cluster.name}" is in etcd already`)
    const intoEtcd = to === "etcd"
    const { moved, left } = await move(cluster.store, etcd, intoEtcd, storeEnv(ctx))
    // What was there before stays, out of the way.
    if (intoEtcd) {
      rmSync(`${cluster.store}.moved`, { recursive: true, force: true })
      renameSync(cluster.store, `${cluster.store}.moved`)
    }
    const taken = Object.fromEntries(placeFlags.map((name) => [name, ""]))
    const apiServer = intoEtcd ? kept : keepApiServerFlags(taken, config.apiServer)
    cluster.write({ ...config, apiServer, hasStore: !intoEtcd })
    for (const key of left) ctx.print(`left: ${key}\n`)
    ctx.print(`Moved ${moved} objects; "knarr up" goes on with them\n`)
    return 0
  },
})

async function move(
  dir: string,
  etcd: Omit<EtcdStoreOptions, "env">,
  intoEtcd: boolean,
  env: Env,
): Promise<{ readonly moved: number; readonly left: readonly string[] }> {
  await using remote = await openEtcdStore({ ...etcd, env })
  await using own = await openEmbeddedStore({ dir, env })
  return await moveObjects({
    from: itemsOf(intoEtcd ? own : remote),
    to: intoEtcd ? remote : own,
    format: intoEtcd ? "shared" : "stamped",
    kinds,
    clock: env.clock,
  })
}
