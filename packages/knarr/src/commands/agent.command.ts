/** `knarr agent`: one further node of a cluster of this machine, in the foreground. */
import { readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { Scope, asError, createLogger, Meter } from "@knarr/base"
import { ClusterHome, UsageError } from "../cluster-home.ts"
import { createSteps } from "../steps.ts"
import { clusterFlags, clusterOf } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const agent = defineCommand({
  name: "agent",
  usage: "--node-name NODE [--name NAME] [--home DIR] [--cluster-dir DIR]",
  summary:
    "Run the agent of a cluster's further node in the foreground, in the network namespace it is started in",
  flags: { ...clusterFlags, "cluster-dir": { type: "string" }, "node-name": { type: "string" } },
  async run({ flags }, ctx) {
    const dir = flags["cluster-dir"] as string | undefined
    const cluster = dir ? new ClusterHome(dirname(dir), basename(dir)) : clusterOf(flags, ctx)
    const config = cluster.read()
    const nodeName = flags["node-name"] as string | undefined
    if (!config) throw new UsageError(`there is no cluster in ${cluster.dir}; create it with "knarr up"`)
    if (!nodeName) throw new UsageError('required flag "--node-name" not set')
    const level = ctx.environment["KNARR_LOG"] === "debug" ? "debug" : "info"
    const log = createLogger({ clock: ctx.clock, level, write: (line) => process.stderr.write(line) })
    const env = { clock: ctx.clock, random: ctx.random, log, meter: new Meter() }
    const steps = createSteps(ctx.clock, log)
    const scope = new Scope("agent", { env })
    const stop = (): void => void scope.close(ctx.signal.reason).catch(() => {})
    ctx.signal.addEventListener("abort", stop, { once: true })
    try {
      const { startAgent } = await import("../agent.ts")
      const read = (file: string): string => readFileSync(join(cluster.pki, file), "utf8")
      await startAgent({
        cluster,
        config,
        env,
        scope,
        steps,
        nodeName,
        ca: { cert: read("ca.crt"), key: read("ca.key") },
      })
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
