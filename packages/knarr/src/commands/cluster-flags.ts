/** Flags that many commands share. */
import { join } from "node:path"
import { homedir } from "node:os"
import { ClusterHome, UsageError, knarrHome, type ClusterConfig } from "../cluster-home.ts"
import type { CommandContext, FlagSpec } from "./command.ts"

export const clusterFlags = {
  name: { type: "string" },
  home: { type: "string" },
} as const satisfies FlagSpec

export const defaultClusterName = "default"

type Flags = Readonly<Record<string, string | boolean | undefined>>

export function clusterOf(flags: Flags, ctx: CommandContext): ClusterHome {
  return new ClusterHome(
    knarrHome(flags["home"] as string | undefined, ctx.environment),
    (flags["name"] as string | undefined) ?? defaultClusterName,
  )
}

/** The cluster and its settings. Throws when there is none. */
export function existingCluster(
  flags: Flags,
  ctx: CommandContext,
): { cluster: ClusterHome; config: ClusterConfig } {
  const cluster = clusterOf(flags, ctx)
  const config = cluster.read()
  if (!config)
    throw new UsageError(
      `there is no cluster "${cluster.name}" in ${cluster.home}; create it with "knarr up"`,
    )
  return { cluster, config }
}

/** A whole number in a range, or undefined when the flag is not given. */
export function numberFlag(flags: Flags, name: string, min: number, max: number): number | undefined {
  const text = flags[name]
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new UsageError(
      `invalid argument "${text}" for "--${name}": must be a number between ${min} and ${max}`,
    )
  }
  return value
}

export function contextName(cluster: ClusterHome): string {
  return `knarr-${cluster.name}`
}

/** The file that kubectl reads and that `up` merges the context into. */
export function userKubeconfig(ctx: CommandContext): string {
  const [first] = (ctx.environment["KUBECONFIG"] ?? "").split(":").filter(Boolean)
  return first ?? join(ctx.environment["HOME"] ?? homedir(), ".kube", "config")
}
