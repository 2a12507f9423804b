/** `knarr simulated-nodes`: the simulated nodes of a cluster of this machine, in the foreground. */
import { UsageError } from "../cluster-home.ts"
import { daemonCluster, runDaemon } from "../daemon.ts"
import { simulatedProcess } from "../simulated-names.ts"
import { clusterFlags } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const simulatedNodes = defineCommand({
  name: simulatedProcess,
  usage: "[--name NAME] [--home DIR] [--cluster-dir DIR]",
  summary: "Run a cluster's simulated nodes in the foreground",
  flags: {
    ...clusterFlags,
    "cluster-dir": { type: "string", value: "DIR", help: "The cluster's own folder, in place of its name." },
  },
  async run({ flags }, ctx) {
    const { cluster, config } = daemonCluster(flags, ctx)
    if (!config.simulatedNodes)
      throw new UsageError(
        `the cluster "${cluster.name}" has no simulated nodes: start it with "knarr up --simulated-nodes N"`,
      )
    return runDaemon(simulatedProcess, { cluster, config }, ctx, async (daemon) => {
      const { startSimulatedFleet } = await import("../simulated-fleet.ts")
      await startSimulatedFleet(daemon)
    })
  },
})
