/** Flags of the store, most of them of one in etcd. Mirrors: apiserver pkg/server/options/etcd.go */
import type { EtcdStoreOptions, EtcdTls } from "@knarr/store"
import { UsageError } from "../cluster-home.ts"
import { GivenFlags, type FlagGroup, type FlagValues } from "./flag-group.ts"

const mediaTypes = ["application/json", "application/vnd.kubernetes.protobuf", "application/yaml"]

/** Which etcd it is. The others count for every store, or stand for what is had anyway. */
export const placeFlags = [
  "etcd-servers",
  "etcd-prefix",
  "etcd-cafile",
  "etcd-certfile",
  "etcd-keyfile",
] as const

export const etcdFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "etcd-servers": "text",
    "etcd-servers-overrides": "text",
    "etcd-prefix": "text",
    "etcd-cafile": "file",
    "etcd-certfile": "file",
    "etcd-keyfile": "file",
    "etcd-compaction-interval": "text",
    "etcd-healthcheck-timeout": "text",
    "etcd-readycheck-timeout": "text",
    "lease-reuse-duration-seconds": "text",
    "storage-backend": "text",
    "storage-media-type": "text",
  },
  read(given) {
    checkKind(given)
    const compactionIntervalMs = notNegative(given, "etcd-compaction-interval")
    const healthMs = notNegative(given, "etcd-healthcheck-timeout")
    const readyMs = notNegative(given, "etcd-readycheck-timeout")
    const leaseReuseSeconds = given.integer("lease-reuse-duration-seconds")
    if (leaseReuseSeconds !== undefined && leaseReuseSeconds < 0)
      throw new UsageError("--lease-reuse-duration-seconds can not be negative value")
    const options = {
      ...(compactionIntervalMs === undefined ? {} : { compactionIntervalMs }),
      // As upstream, 0 is the default.
      storeChecks: { ...(healthMs ? { healthMs } : {}), ...(readyMs ? { readyMs } : {}) },
      ...(leaseReuseSeconds === undefined ? {} : { leaseReuseSeconds }),
    }
    const servers = given.list("etcd-servers")
    if (!servers) return options
    if (servers.length === 0) throw new UsageError("--etcd-servers must be specified")
    if ((given.text("etcd-certfile") === undefined) !== (given.text("etcd-keyfile") === undefined))
      throw new UsageError("--etcd-certfile and --etcd-keyfile belong together")
    // Kube-apiservers may use the same etcd.
    return { ...options, storageFormat: "shared" }
  },
})

function notNegative(given: GivenFlags, flag: string): number | undefined {
  const ms = given.durationMs(flag)
  if (ms !== undefined && ms < 0) throw new UsageError(`--${flag} can not be negative value`)
  return ms
}

/** What upstream can have in more than one way, and is had here in one. */
function checkKind(given: GivenFlags): void {
  const backend = given.text("storage-backend")
  if (backend !== undefined && backend !== "etcd3")
    throw new UsageError(
      "--storage-backend invalid, allowed values: etcd3. If not specified, it will default to 'etcd3'",
    )
  const mediaType = given.text("storage-media-type")
  if (mediaType !== undefined && !mediaTypes.includes(mediaType))
    throw new UsageError(
      `--storage-media-type ${JSON.stringify(mediaType)} invalid, allowed values: ${mediaTypes.join(", ")}`,
    )
  if (mediaType !== undefined && mediaType !== mediaTypes[1])
    throw new UsageError(
      `--storage-media-type ${mediaType} can not be had: objects are stored in ${mediaTypes[1]}`,
    )
  const overrides = given.list("etcd-servers-overrides") ?? []
  if (overrides.some((override) => !/^[^/#]*\/[^/#]*#[^;#]+(;[^;#]+)*$/.test(override)))
    throw new UsageError(
      "--etcd-servers-overrides invalid, must be of format: group/resource#servers, where servers are URLs, semicolon separated",
    )
  if (overrides.length > 0)
    throw new UsageError(
      "--etcd-servers-overrides can not be had: all resources are in one etcd, whose revisions are those of all of them",
    )
}

/** The etcd that the flags name, if any. Throws when a file of certificates cannot be read; they are read anew at each connection. */
export function etcdOptions(values: FlagValues): Omit<EtcdStoreOptions, "env"> | undefined {
  const given = new GivenFlags(values)
  const endpoints = given.list("etcd-servers")
  if (!endpoints) return undefined
  const readAll = (): EtcdTls => ({
    ca: given.content("etcd-cafile"),
    cert: given.content("etcd-certfile"),
    key: given.content("etcd-keyfile"),
  })
  let last = readAll()
  return {
    endpoints,
    prefix: given.text("etcd-prefix"),
    tls() {
      try {
        last = readAll()
      } catch {
        // They are being renewed, or gone: those that were there are good as long as the members take them.
      }
      return last
    },
    compactKey: "compact_rev_key",
  }
}
