/** `knarr delete`: stops a cluster and removes all that it left. */
import { existsSync, readFileSync } from "node:fs"
import { ClusterNumbers } from "../cluster-numbers.ts"
import { removeFromKubeconfig } from "../kubeconfig-file.ts"
import { restoreFiles } from "../process-files.ts"
import { clearMachine, interruptStart, removeNodes, stopCluster } from "../stop-cluster.ts"
import { clusterFlags, contextName, existingCluster, userKubeconfig } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const deleteCluster = defineCommand({
  name: "delete",
  usage: "[--name NAME] [--home DIR]",
  summary: "Stop a cluster and remove everything that it left on this machine",
  flags: clusterFlags,
  async run({ flags }, ctx) {
    const { cluster, config } = existingCluster(flags, ctx)
    await interruptStart(cluster, ctx)
    restoreFiles(cluster, config)
    await stopCluster(cluster, config, ctx, { keepState: false })
    if (config.hasNode) {
      await clearMachine(cluster, config, ctx)
      await removeNodes(cluster, config, ctx)
      new ClusterNumbers().release(config.index, cluster.dir)
    }
    if (existsSync(cluster.caCertificate)) {
      const ca = readFileSync(cluster.caCertificate, "utf8")
      for (const file of new Set([userKubeconfig(ctx, cluster.home), ...(config.kubeconfigs ?? [])]))
        await removeFromKubeconfig(file, contextName(cluster), ca, ctx)
    }
    cluster.remove()
    ctx.print(`Deleted cluster "${cluster.name}"\n`)
    return 0
  },
})
