/** `knarr up`: starts a cluster on this machine and returns when it is ready. */
import { ClusterHome, UsageError, type ClusterConfig } from "../cluster-home.ts"
import { problemOf, rangeFlags, readRangeFlags, refuseChange } from "../cluster-ranges.ts"
import { decideConfig, type Wish } from "../decide-config.ts"
import { adminKubeconfig, mergeIntoKubeconfig, writeKubeconfig } from "../kubeconfig-file.ts"
import { agentNames, type LocalNode } from "../node-names.ts"
import { ensurePki } from "../pki.ts"
import { daemonNodeFlags } from "../daemon-settings.ts"
import { holdFile, runningPid, spawnDaemon } from "../process-control.ts"
import { serverAddresses } from "../server-certificate.ts"
import { clusterFlags, clusterOf, contextName, numberFlag, userKubeconfig } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

const maxAgents = 32

type Flags = Readonly<Record<string, string | boolean | undefined>>

export const up = defineCommand({
  name: "up",
  usage:
    "[--name NAME] [--agents K] [--no-agent] [--home DIR] [--port P] [--cluster-cidr PODS] [--service-cidr SERVICES] [--node-cidr NODES]",
  summary:
    "Start a cluster on this machine, with K nodes beside the first, and return when it is ready; of a cluster that runs, the nodes that do not",
  flags: {
    ...clusterFlags,
    agents: { type: "string" },
    "no-agent": { type: "boolean" },
    port: { type: "string" },
    ...rangeFlags,
  },
  async run({ flags }, ctx) {
    const cluster = clusterOf(flags, ctx)
    using _lock = holdFile(cluster.upFile, `the cluster "${cluster.name}" is being started`)
    const running = runningPid(cluster.pidFile("server"))
    const startedMs = ctx.clock.monotonic()
    const { config, lock } =
      running === undefined
        ? await decideConfig(cluster, wishOf(cluster, flags), ctx)
        : { config: grow(cluster, flags, running), lock: undefined }
    // A cluster with nodes is known to others from here on; one without is known by the ports that it listens on.
    using _decided = lock
    cluster.write(config)
    if (config.hasNode) lock?.[Symbol.dispose]()
    const pki = ensurePki(cluster.pki, ctx, serverAddresses(config))
    const kubeconfig = adminKubeconfig(contextName(cluster), `https://127.0.0.1:${config.port}`, pki)
    writeKubeconfig(cluster.kubeconfig, kubeconfig)

    const onStep = (process: string) => (step: string, ms: number) =>
      ctx.print(` ${formatSeconds(ms)}  ${process}${step}\n`)
    const self = [process.execPath, ...process.execArgv, ...daemonNodeFlags, process.argv[1]!]
    if (running === undefined) {
      ctx.print(`Starting cluster "${cluster.name}"\n`)
      await spawnDaemon({
        command: [...self, "server", "--cluster-dir", cluster.dir],
        log: cluster.log("server"),
        pidFile: cluster.pidFile("server"),
        onStep: onStep(""),
        clock: ctx.clock,
        signal: ctx.signal,
      })
    }
    const stopped = stoppedAgents(cluster, config)
    if (stopped.length > 0) {
      const { ensureAgentNetworks } = await import("../agent.ts")
      await ensureAgentNetworks(config, ctx.signal)
    }
    if (running !== undefined)
      ctx.print(
        `Starting ${stopped.map(({ node }) => node).join(", ")} of the running cluster "${cluster.name}"\n`,
      )
    await Promise.all(
      stopped.map(({ node, netns }) =>
        spawnDaemon({
          command: [
            "nsenter",
            `--net=/run/netns/${netns}`,
            ...self,
            "agent",
            "--cluster-dir",
            cluster.dir,
            "--node-name",
            node,
          ],
          log: cluster.log(node),
          pidFile: cluster.pidFile(node),
          onStep: onStep(`${node}: `),
          clock: ctx.clock,
          signal: ctx.signal,
        }),
      ),
    )
    const userFile = userKubeconfig(ctx)
    await mergeIntoKubeconfig(userFile, kubeconfig)
    ctx.print(` ${formatSeconds(ctx.clock.monotonic() - startedMs)}  ready\n`)
    ctx.print(`kubectl is now configured to use the context "${contextName(cluster)}" (${userFile})\n`)
    return 0
  },
})

/** The nodes whose agents do not run. */
function stoppedAgents(cluster: ClusterHome, config: ClusterConfig): LocalNode[] {
  return agentNames(config).filter(({ node }) => runningPid(cluster.pidFile(node)) === undefined)
}

/** The settings of a cluster that runs, with the nodes that are to join it. Throws when there is nothing to start. */
function grow(cluster: ClusterHome, flags: Flags, pid: number): ClusterConfig {
  const before = cluster.read()!
  const agents = Math.max(numberFlag(flags, "agents", 0, maxAgents) ?? 0, before.agents)
  if (agents > 0 && !before.hasNode)
    throw new UsageError(`the cluster "${cluster.name}" was started with --no-agent: stop it first`)
  refuseChange(cluster.name, before, readRangeFlags(flags))
  const problem = before.hasNode ? problemOf(before, 1 + agents) : undefined
  if (problem) throw new UsageError(problem)
  const config = { ...before, agents }
  if (stoppedAgents(cluster, config).length > 0) return config
  throw new UsageError(
    `the cluster "${cluster.name}" is already running (process ${pid}); stop it with "knarr down" first`,
  )
}

function wishOf(cluster: ClusterHome, flags: Flags): Wish {
  const before = cluster.read()
  const hasNode = flags["no-agent"] === undefined ? (before?.hasNode ?? true) : !flags["no-agent"]
  const agents = numberFlag(flags, "agents", 0, maxAgents) ?? before?.agents ?? 0
  if (agents > 0 && !hasNode) throw new UsageError("--agents needs the first node: leave --no-agent out")
  if (hasNode && process.getuid?.() !== 0) {
    throw new UsageError(
      'a node runs containers and needs root: run "sudo knarr up", or "knarr up --no-agent" for a control plane alone',
    )
  }
  return { ranges: readRangeFlags(flags), port: numberFlag(flags, "port", 1, 65_535), agents, hasNode }
}

export function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`.padStart(7)
}
