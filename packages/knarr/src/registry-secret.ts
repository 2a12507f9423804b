/** The secret that pushes to the cluster's image registry: made once, readable by the cluster's owner alone. */
import { existsSync, readFileSync } from "node:fs"
import type { Env } from "@knarr/base"
import { UsageError, writeAtomically, type ClusterHome } from "./cluster-home.ts"

export function ensureRegistrySecret(cluster: ClusterHome, env: Env): string {
  if (!existsSync(cluster.registrySecret))
    writeAtomically(cluster.registrySecret, Buffer.from(env.random.bytes(32)).toString("base64url"))
  return readRegistrySecret(cluster)
}

/** Throws a {@link UsageError} when the cluster has none yet. */
export function readRegistrySecret(cluster: ClusterHome): string {
  if (!existsSync(cluster.registrySecret))
    throw new UsageError(`the cluster "${cluster.name}" has no registry yet: start it again`)
  return readFileSync(cluster.registrySecret, "utf8").trim()
}
