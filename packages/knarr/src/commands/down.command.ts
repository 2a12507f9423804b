/** `knarr down`: stops a cluster; its state stays. */
import { UsageError } from "../cluster-home.ts"
import { clearMachine, stopCluster } from "../stop-cluster.ts"
import { clusterFlags, existingCluster } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const down = defineCommand({
  name: "down",
  usage: "[--name NAME] [--home DIR]",
  summary: "Stop a cluster and its containers; its state stays until knarr delete",
  flags: clusterFlags,
  async run({ flags }, ctx) {
    const { cluster, config } = existingCluster(flags, ctx)
    const stopped = await stopCluster(cluster, config, ctx, { keepState: true })
    // As after a power cut: what is in the kernel is gone, and the next up makes it again.
    if (config.hasNode) await clearMachine(cluster, config, ctx)
    if (!stopped) throw new UsageError(`the cluster "${cluster.name}" is not running`)
    ctx.print(`Stopped cluster "${cluster.name}"\n`)
    return 0
  },
})
