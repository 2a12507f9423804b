/** `knarr down`: stops a cluster; its state stays. */
import { UsageError } from "../cluster-home.ts"
import { stopCluster } from "../stop-cluster.ts"
import { clusterFlags, existingCluster } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const down = defineCommand({
  name: "down",
  usage: "[--name NAME] [--home DIR]",
  summary: "Stop a cluster and its containers; its state stays until knarr delete",
  flags: clusterFlags,
  async run({ flags }, ctx) {
    const { cluster, config } = existingCluster(flags, ctx)
    if (!(await stopCluster(cluster, config, ctx, { keepState: true })))
      throw new UsageError(`the cluster "${cluster.name}" is not running`)
    ctx.print(`Stopped cluster "${cluster.name}"\n`)
    return 0
  },
})
