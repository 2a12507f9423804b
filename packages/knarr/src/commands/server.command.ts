/** `knarr server`: a cluster's server, with the first node's agent, in the foreground. */
import { basename, dirname } from "node:path"
import { Scope, asError, createLogger, Meter } from "@knarr/base"
import { ClusterHome, UsageError, type ClusterConfig } from "../cluster-home.ts"
import type { FirstNode, NodeOptions } from "../agent.ts"
import { createSteps } from "../steps.ts"
import { clusterFlags, clusterOf } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const server = defineCommand({
  name: "server",
  usage: "[--name NAME] [--home DIR] [--cluster-dir DIR]",
  summary: "Run a cluster's server, and its first node, in the foreground",
  flags: { ...clusterFlags, "cluster-dir": { type: "string" } },
  async run({ flags }, ctx) {
    const dir = flags["cluster-dir"] as string | undefined
    const cluster = dir ? new ClusterHome(dirname(dir), basename(dir)) : clusterOf(flags, ctx)
    const config = cluster.read()
    if (!config) throw new UsageError(`there is no cluster in ${cluster.dir}; create it with "knarr up"`)
    const level = ctx.environment["KNARR_LOG"] === "debug" ? "debug" : "info"
    const log = createLogger({ clock: ctx.clock, level, write: (line) => process.stderr.write(line) })
    const env = { clock: ctx.clock, random: ctx.random, log, meter: new Meter() }
    const steps = createSteps(ctx.clock, log)
    const scope = new Scope("server", { env })
    const stop = (): void => void scope.close(ctx.signal.reason).catch(() => {})
    ctx.signal.addEventListener("abort", stop, { once: true })
    let prepared: Promise<FirstNode> | undefined
    try {
      const network = config.hasNode ? prepareNetwork(config, scope.signal) : Promise.resolve()
      if (config.hasNode)
        prepared = prepareNode({ cluster, config, env, scope: scope.child("node"), steps, network })
      // A failure shows when it is awaited, below; until then it must not end the process.
      network.catch(() => {})
      prepared?.catch(() => {})
      const { startServer } = await import("../server.ts")
      const running = await startServer({ cluster, config, env, scope, steps, network })
      if (prepared) await (await prepared).join(running)
      steps.ready()
    } catch (thrown) {
      steps.failed(asError(thrown))
      await scope.close().catch(() => {})
      throw thrown
    }
    await new Promise((resolve) => scope.signal.addEventListener("abort", resolve, { once: true }))
    await scope.close()
    return 0
  },
})

async function prepareNetwork(config: ClusterConfig, signal: AbortSignal): Promise<void> {
  const { ensureClusterNetwork } = await import("../agent.ts")
  await ensureClusterNetwork(config, signal)
}

/** Begins with the node while the server starts beside it; a control plane alone never loads a node's code. */
async function prepareNode(options: NodeOptions & { network: Promise<void> }): Promise<FirstNode> {
  const { startFirstNode } = await import("../agent.ts")
  return startFirstNode(options)
}
