/** `knarr up`: starts a cluster on this machine and returns when it is ready. */
import { ClusterHome, UsageError, addressesOf, type ClusterConfig } from "../cluster-home.ts"
import { adminKubeconfig, mergeIntoKubeconfig, writeKubeconfig } from "../kubeconfig-file.ts"
import { claimIndex, freePort, isPortFree } from "../machine.ts"
import { agentNames } from "../node-names.ts"
import { ensurePki } from "../pki.ts"
import { runningPid, spawnDaemon } from "../process-control.ts"
import { serverAddresses } from "../server-certificate.ts"
import { clusterFlags, clusterOf, contextName, numberFlag, userKubeconfig } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

const maxAgents = 32

export const up = defineCommand({
  name: "up",
  usage: "[--name NAME] [--agents K] [--no-agent] [--home DIR] [--port P]",
  summary: "Start a cluster on this machine, with K nodes beside the first, and return when it is ready",
  flags: {
    ...clusterFlags,
    agents: { type: "string" },
    "no-agent": { type: "boolean" },
    port: { type: "string" },
  },
  async run({ flags }, ctx) {
    const cluster = clusterOf(flags, ctx)
    const running = runningPid(cluster.pidFile("server"))
    if (running !== undefined) {
      throw new UsageError(
        `the cluster "${cluster.name}" is already running (process ${running}); stop it with "knarr down" first`,
      )
    }
    const startedMs = ctx.clock.monotonic()
    const config = await decideConfig(cluster, flags)
    cluster.write(config)
    const pki = ensurePki(cluster.pki, ctx, serverAddresses(config))
    const kubeconfig = adminKubeconfig(contextName(cluster), `https://127.0.0.1:${config.port}`, pki)
    writeKubeconfig(cluster.kubeconfig, kubeconfig)

    const onStep = (process: string) => (step: string, ms: number) =>
      ctx.print(` ${formatSeconds(ms)}  ${process}${step}\n`)
    const self = [process.execPath, ...process.execArgv, process.argv[1]!]
    ctx.print(`Starting cluster "${cluster.name}"\n`)
    await spawnDaemon({
      command: [...self, "server", "--cluster-dir", cluster.dir],
      log: cluster.log("server"),
      pidFile: cluster.pidFile("server"),
      onStep: onStep(""),
    })
    if (config.agents > 0) {
      const { ensureAgentNetworks } = await import("../agent.ts")
      await ensureAgentNetworks(config, ctx.signal)
    }
    await Promise.all(
      agentNames(config).map(({ node, netns }) =>
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

async function decideConfig(
  cluster: ClusterHome,
  flags: Readonly<Record<string, string | boolean | undefined>>,
): Promise<ClusterConfig> {
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
      : await freePort(addressesOf(index).registryPort)
  return { name: cluster.name, index, port, registryPort, agents, hasNode }
}

export function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`.padStart(7)
}
