/** `knarr kubeconfig`: prints where the administrator's kubeconfig is. */
import { clusterFlags, existingCluster } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const kubeconfig = defineCommand({
  name: "kubeconfig",
  usage: "[--name NAME] [--home DIR]",
  summary: "Print the path of a cluster's kubeconfig",
  flags: clusterFlags,
  run({ flags }, ctx) {
    ctx.print(`${existingCluster(flags, ctx).cluster.kubeconfig}\n`)
    return Promise.resolve(0)
  },
})
