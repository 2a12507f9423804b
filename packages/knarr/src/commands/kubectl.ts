/** `knarr kubectl`: our own kubectl, on a Knarr cluster when no kubeconfig says otherwise. */
import { processIo, runKubectl as run } from "@knarr/kubectl"
import { ClusterHome, knarrHome, listClusters } from "../cluster-home.ts"
import { defaultClusterName } from "./cluster-flags.ts"
import type { CommandContext } from "./command.ts"

/** Resolves with the exit code. With `KNARR_HOME` alone its clusters' contexts are known, and the default one is current. */
export function runKubectl(argv: readonly string[], ctx: CommandContext): Promise<number> {
  const home = knarrHome(undefined, ctx.environment)
  const cluster = new ClusterHome(home, defaultClusterName)
  const environment = { ...ctx.environment }
  if (!environment["KUBECONFIG"] && ctx.environment["KNARR_HOME"] && cluster.exists) {
    const others = listClusters(home).filter(({ name }) => name !== cluster.name)
    environment["KUBECONFIG"] = [cluster, ...others].map(({ kubeconfig }) => kubeconfig).join(":")
  }
  return run(argv, { ...processIo(ctx), env: environment })
}
