/** `knarr server`: a cluster's API server, controllers, scheduler and image registry, in the foreground. */
import { daemonCluster, runDaemon } from "../daemon.ts"
import { clusterFlags } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const server = defineCommand({
  name: "server",
  usage: "[--name NAME] [--home DIR] [--cluster-dir DIR]",
  summary: "Run a cluster's server in the foreground",
  flags: { ...clusterFlags, "cluster-dir": { type: "string" } },
  run: async ({ flags }, ctx) =>
    runDaemon("server", daemonCluster(flags, ctx), ctx, async (daemon) => {
      const { startServer } = await import("../server.ts")
      await startServer(daemon)
    }),
})
