/** `knarr up`: starts a cluster on this machine and returns when it is ready. */
import { ClusterHome, UsageError, defaultRanges, type ClusterConfig } from "../cluster-home.ts"
import { adminKubeconfig, mergeIntoKubeconfig, writeKubeconfig } from "../kubeconfig-file.ts"
import { claimIndex, freePort, isPortFree } from "../machine.ts"
import { agentNames, type LocalNode } from "../node-names.ts"
import { ensurePki } from "../pki.ts"
import { daemonNodeFlags } from "../daemon-settings.ts"
import { holdFile, runningPid, spawnDaemon } from "../process-control.ts"
import { serverAddresses } from "../server-certificate.ts"
import { clusterFlags, clusterOf, contextName, numberFlag, userKubeconfig } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

const maxAgents = 32
const firstRegistryPort = 5000

type Flags = Readonly<Record<string, string | boolean | undefined>>

export const up = defineCommand({
  name: "up",
  usage: "[--name NAME] [--agents K] [--no-agent] [--home DIR] [--port P]",
  summary:
    "Start a cluster on this machine, with K nodes beside the first, and return when it is ready; of a cluster that runs, the nodes that do not",
  flags: {
    ...clusterFlags,
    agents: { type: "string" },
    "no-agent": { type: "boolean" },
    port: { type: "string" },
  },
  async run({ flags }, ctx) {
    const cluster = clusterOf(flags, ctx)
    using _lock = holdFile(cluster.upFile, `the cluster "${cluster.name}" is being started`)
    const running = runningPid(cluster.pidFile("server"))
    const startedMs = ctx.clock.monotonic()
    const config = running === undefined ? await decideConfig(cluster, flags) : grow(cluster, flags, running)
    cluster.write(config)
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
  const config = { ...before, agents }
  if (stoppedAgents(cluster, config).length > 0) return config
  throw new UsageError(
    `the cluster "${cluster.name}" is already running (process ${pid}); stop it with "knarr down" first`,
  )
}

async function decideConfig(cluster: ClusterHome, flags: Flags): Promise<ClusterConfig> {
  const before = cluster.read()
  const hasNode = flags["no-agent"] === undefined ? (before?.hasNode ?? true) : !flags["no-agent"]
  const agents = numberFlag(flags, "agents", 0, maxAgents) ?? before?.agents ?? 0
  if (agents > 0 && !hasNode) throw new UsageError("--agents needs the first node: leave --no-agent out")
  if (hasNode && process.getuid?.() !== 0) {
    throw new UsageError(
      'a node runs containers and needs root: run "sudo knarr up", or "knarr up --no-agent" for a control plane alone',
    )
  }
  const index = hasNode ? claimIndex(cluster.dir, before?.index) : (before?.index ?? 0)
  const wanted = numberFlag(flags, "port", 1, 65_535) ?? before?.port
  if (wanted !== undefined && !(await isPortFree(wanted))) {
    throw new UsageError(`port ${wanted} is already in use: choose another one with --port`)
  }
  const port = wanted ?? (await freePort(6443 + index))
  const registryPort =
    before && (await isPortFree(before.registryPort))
      ? before.registryPort
      : await freePort(firstRegistryPort)
  const { podCIDR, serviceCIDR, nodeCIDR } = before ?? defaultRanges(index)
  return {
    name: cluster.name,
    index,
    podCIDR,
    serviceCIDR,
    nodeCIDR,
    port,
    registryPort,
    agents,
    hasNode,
  }
}

export function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`.padStart(7)
}
