/** `knarr kubectl`: our own kubectl, on a Knarr cluster when no kubeconfig says otherwise. */
import { processIo, runKubectl as run } from "@knarr/kubectl"
import { ClusterHome, knarrHome } from "../cluster-home.ts"
import { defaultClusterName } from "./cluster-flags.ts"
import type { CommandContext } from "./command.ts"

/** Resolves with the exit code. */
export function runKubectl(argv: readonly string[], ctx: CommandContext): Promise<number> {
  const cluster = new ClusterHome(knarrHome(undefined, ctx.environment), defaultClusterName)
  const environment = { ...ctx.environment }
  if (!environment["KUBECONFIG"] && ctx.environment["KNARR_HOME"] && cluster.exists)
    environment["KUBECONFIG"] = cluster.kubeconfig
  return run(argv, { ...processIo(ctx), env: environment })
}
