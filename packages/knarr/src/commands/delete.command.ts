/** `knarr delete`: stops a cluster and removes all that it left. */
import { existsSync, readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import {
  DamagedClusterError,
  defaultRanges,
  UsageError,
  type ClusterConfig,
  type ClusterHome,
} from "../cluster-home.ts"
import { ClusterNumbers, numbersOfUser } from "../cluster-numbers.ts"
import { removeFromKubeconfig } from "../kubeconfig-file.ts"
import { restoreFiles } from "../process-files.ts"
import { clearMachine, disksIn, interruptStart, removeNodes, stopCluster } from "../stop-cluster.ts"
import { clusterFlags, clusterOf, contextName, existingCluster, userKubeconfig } from "./cluster-flags.ts"
import { defineCommand, type CommandContext } from "./command.ts"

export const deleteCluster = defineCommand({
  name: "delete",
  usage: "[--name NAME] [--home DIR]",
  summary: "Stop a cluster and remove everything that it left on this machine",
  flags: clusterFlags,
  async run({ flags }, ctx) {
    const { cluster, config } = clusterToDelete(flags, ctx)
    const [disk] = await disksIn(cluster)
    if (disk !== undefined)
      throw new UsageError(
        `"${disk}" is a disk of its own, which can not be removed: unmount it first, or remove what is on it with "knarr down" and by hand; the cluster "${cluster.name}" is as it was`,
      )
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

/** The cluster; of one whose settings cannot be read, as much of them as the machine and its folder tell. */
function clusterToDelete(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  ctx: CommandContext,
): { cluster: ClusterHome; config: ClusterConfig } {
  try {
    return existingCluster(flags, ctx)
  } catch (thrown) {
    if (!(thrown instanceof DamagedClusterError)) throw thrown
    const cluster = clusterOf(flags, ctx)
    const claim = numbersOfUser()
      .claims()
      .find(({ dir }) => dir === cluster.dir)
    const nodes = join(cluster.dir, "nodes")
    // Without a claim the cluster has nothing in the kernel.
    const nodeCount = claim && existsSync(nodes) ? readdirSync(nodes).length : 0
    const [port = 0, registryPort = 0] = claim?.ports ?? []
    const ranges = claim ?? { index: 0, ...defaultRanges(0) }
    const counts = { agents: Math.max(0, nodeCount - 1), hasNode: nodeCount > 0 }
    return { cluster, config: { ...ranges, name: cluster.name, port, registryPort, ...counts } }
  }
}
