/** Flags that many commands share. */
import { existsSync, realpathSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { homedir } from "node:os"
import { ClusterHome, UsageError, knarrHome, type ClusterConfig } from "../cluster-home.ts"
import type { CommandContext, FlagSpec } from "./command.ts"

export const clusterFlags = {
  name: { type: "string", value: "NAME", help: 'The cluster. Default "default".' },
  home: {
    ...{ type: "string", value: "DIR" },
    help: "The folder of all clusters. Default: $KNARR_HOME, else ~/.knarr.",
  },
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

/**
 * The file that `up` merges the context into: the one that kubectl would change, but never a cluster's own, which the
 * cluster writes anew. Mirrors: client-go tools/clientcmd/config.go (GetDefaultFilename)
 */
export function userKubeconfig(ctx: Pick<CommandContext, "environment">, home: string): string {
  const files = (ctx.environment["KUBECONFIG"] ?? "")
    .split(":")
    .filter((file) => file !== "" && !isClustersOwn(file, home))
  const fallback = join(ctx.environment["HOME"] ?? homedir(), ".kube", "config")
  return files.find((file) => existsSync(file)) ?? files.at(-1) ?? fallback
}

/** Of a cluster of this home, which may be gone, or of one of another home. */
function isClustersOwn(file: string, home: string): boolean {
  const path = realPath(file)
  if (basename(path) !== "kubeconfig") return false
  const dir = dirname(path)
  return dirname(dir) === realPath(home) || existsSync(join(dir, "cluster.json"))
}

function realPath(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return resolve(file)
  }
}
