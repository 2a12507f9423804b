/** `knarr server`: a cluster's API server, controllers, scheduler and image registry, in the foreground. */
import { daemonCluster, runDaemon } from "../daemon.ts"
import { apiServerFlags, keepApiServerFlags } from "../api-server-flags/order.ts"
import { clusterFlags } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const server = defineCommand({
  name: "server",
  usage: "[--name NAME] [--home DIR] [--cluster-dir DIR] [FLAGS OF KUBE-APISERVER]",
  summary: "Run a cluster's server in the foreground",
  flags: {
    ...clusterFlags,
    "cluster-dir": { type: "string", value: "DIR", help: "The cluster's own folder, in place of its name." },
    ...apiServerFlags,
  },
  async run({ flags }, ctx) {
    const { cluster, config } = daemonCluster(flags, ctx)
    const given = keepApiServerFlags(flags, config.apiServer)
    return runDaemon("server", { cluster, config: { ...config, apiServer: given } }, ctx, async (daemon) => {
      const { startServer } = await import("../server.ts")
      await startServer(daemon)
    })
  },
})
