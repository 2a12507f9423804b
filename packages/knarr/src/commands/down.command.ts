/** `knarr down`: stops a cluster; its state stays. */
import { clearMachine, interruptStart, stopCluster } from "../stop-cluster.ts"
import { restoreFiles } from "../process-files.ts"
import { clusterFlags, existingCluster } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const down = defineCommand({
  name: "down",
  usage: "[--name NAME] [--home DIR]",
  summary: "Stop a cluster and its containers; its state stays until knarr delete",
  flags: clusterFlags,
  async run({ flags }, ctx) {
    const { cluster, config } = existingCluster(flags, ctx)
    await interruptStart(cluster, ctx)
    restoreFiles(cluster, config)
    const stopped = await stopCluster(cluster, config, ctx, { keepState: true })
    // As after a power cut: what is in the kernel is gone, and the next up makes it again.
    if (config.hasNode) await clearMachine(cluster, config, ctx)
    ctx.print(stopped ? `Stopped cluster "${cluster.name}"\n` : `Cluster "${cluster.name}" is not running\n`)
    return 0
  },
})
