/** `knarr agent`: a node of a cluster of this machine, in the foreground. */
import { UsageError } from "../cluster-home.ts"
import { daemonCluster, runDaemon } from "../daemon.ts"
import { nodesOf } from "../node-names.ts"
import { clusterFlags } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const agent = defineCommand({
  name: "agent",
  usage:
    "--node-name NODE [--container-runtime-endpoint ENDPOINT] [--name NAME] [--home DIR] [--cluster-dir DIR]",
  summary: "Run the agent of a cluster's node in the foreground, in the network namespace it is started in",
  flags: {
    ...clusterFlags,
    "cluster-dir": { type: "string", value: "DIR", help: "The cluster's own folder, in place of its name." },
    "node-name": { type: "string", value: "NODE", help: "Which of the cluster's nodes." },
    "container-runtime-endpoint": {
      ...{ type: "string", value: "URL" },
      help: "The socket of a runtime that runs already: unix:///path. Default: a containerd of the node's own.",
    },
  },
  async run({ flags }, ctx) {
    const { cluster, config } = daemonCluster(flags, ctx)
    const nodeName = flags["node-name"] as string | undefined
    if (!nodeName) throw new UsageError('required flag "--node-name" not set')
    if (!nodesOf(config).some(({ node }) => node === nodeName))
      throw new UsageError(`the cluster "${cluster.name}" has no node "${nodeName}"`)
    const runtimeEndpoint = flags["container-runtime-endpoint"] as string | undefined
    return runDaemon(nodeName, { cluster, config }, ctx, async (daemon) => {
      const { startAgent } = await import("../agent.ts")
      await startAgent({ ...daemon, nodeName, runtimeEndpoint })
    })
  },
})
