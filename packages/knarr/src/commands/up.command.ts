/** `knarr up`: starts a cluster on this machine and returns when it is ready. */
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { Scope, type Clock } from "@knarr/base"
import { defaultKubeconfigFiles, readKubeconfig } from "@knarr/client"
import { createNodeNetns, nodeBridge } from "@knarr/pod-network"
import { etcdOptions } from "../api-server-flags/etcd.flags.ts"
import type { FlagValues } from "../api-server-flags/flag-group.ts"
import { apiServerFlags, changedFlag, keepApiServerFlags } from "../api-server-flags/order.ts"
import { UsageError, type ClusterConfig, type ClusterHome } from "../cluster-home.ts"
import { problemOf, rangeFlags, readRangeFlags, refuseChange } from "../cluster-ranges.ts"
import { decideConfig, type Wish } from "../decide-config.ts"
import { nodeFlagsOf } from "../daemon-settings.ts"
import { adminKubeconfig, mergeIntoKubeconfig, writeKubeconfig } from "../kubeconfig-file.ts"
import { agentNames, firstNode, networkOf, nodesOf, type LocalNode } from "../node-names.ts"
import { holdFile } from "../pid-file.ts"
import { ensureNodePki, ensurePki, ensureSimulatedPki } from "../pki.ts"
import { processWords, restoreFiles } from "../process-files.ts"
import { isWell, processState, processesOf } from "../process-state.ts"
import { serverAddresses } from "../server-addresses.ts"
import { adoptPki } from "../shared-pki.ts"
import { maxSimulatedNodes } from "../simulated-names.ts"
import { startProcess, stopProcess } from "../supervisor.ts"
import { clusterFlags, clusterOf, contextName, numberFlag, userKubeconfig } from "./cluster-flags.ts"
import { defineCommand, type CommandContext } from "./command.ts"

const maxAgents = 32
const networkPollMs = 10
/** As of a program that SIGINT ended. */
const interruptedCode = 130

type Flags = Readonly<Record<string, string | boolean | undefined>>

export const up = defineCommand({
  name: "up",
  usage:
    "[--name NAME] [--agents K] [--no-agent] [--simulated-nodes N] [--home DIR] [--port P] [--cluster-cidr PODS] [--service-cidr SERVICES] [--node-cidr NODES] [--pki-from DIR] [FLAGS OF KUBE-APISERVER]",
  summary:
    "Start a cluster on this machine, with K nodes beside the first, and return when it is ready; of a cluster that runs, the nodes that do not",
  flags: {
    ...clusterFlags,
    agents: { type: "string", value: "K", help: "Nodes beside the first, each in a network of its own." },
    "no-agent": { type: "boolean", help: "A control plane alone, without nodes. Needs no root." },
    "simulated-nodes": { type: "string", value: "N", help: "Nodes that run nothing, for tests of scale." },
    port: {
      type: "string",
      value: "P",
      help: "Where the API server listens. Default: the first that is free.",
    },
    "pki-from": {
      ...{ type: "string", value: "DIR" },
      help: "The certificates of another server of this cluster, which has its etcd.",
    },
    ...rangeFlags,
    ...apiServerFlags,
  },
  async run({ flags }, ctx) {
    const cluster = clusterOf(flags, ctx)
    const starting = `the cluster "${cluster.name}" is being started; wait for it to end`
    using _lock = holdFile(cluster.upFile, starting)
    const startedMs = ctx.clock.monotonic()
    const before = cluster.read()
    if (before) restoreFiles(cluster, before)
    const isPart = before !== undefined && processesOf(before).some((name) => runs(cluster, name))
    const begun: string[] = []
    let config
    try {
      config =
        before && isPart
          ? await mend(cluster, before, flags, ctx, begun)
          : await startAll(cluster, before, flags, ctx, begun)
    } catch (thrown) {
      const answering = begun.filter((name) => processState(cluster, name).answers)
      if (ctx.signal.aborted) await takeBack(cluster, begun, isPart, ctx)
      else if (answering.length > 0) tellLeft(cluster, answering, ctx)
      forgetFlags(cluster, before)
      if (!ctx.signal.aborted) throw thrown
      return interruptedCode
    }
    const userFile = userKubeconfig(ctx, cluster.home)
    await mergeIntoKubeconfig(userFile, await readKubeconfig(cluster.kubeconfig), ctx)
    // Also after a removal that was cut off, or of the store alone, there is no other one to be made.
    const hasStore = config.hasStore === true || etcdOptions(config.apiServer ?? {}) === undefined
    cluster.write({
      ...config,
      hasStore,
      kubeconfigs: [...new Set([...(config.kubeconfigs ?? []), userFile])],
    })
    ctx.print(` ${formatSeconds(ctx.clock.monotonic() - startedMs)}  ready\n`)
    ctx.print(`kubectl is now configured to use the context "${contextName(cluster)}" (${userFile})\n`)
    if (defaultKubeconfigFiles(ctx.environment)[0] !== userFile)
      ctx.print("KUBECONFIG names another file first: unset it, or kubectl goes on using that one\n")
    return 0
  },
})

function runs(cluster: ClusterHome, name: string): boolean {
  const { pid, supervisorPid } = processState(cluster, name)
  return pid !== undefined || supervisorPid !== undefined
}

/**
 * After an interrupt: what this `up` began and could not bring to answer is stopped again, with containers and network
 * when nothing of the cluster runs then. What is on disk stays, as after `down`.
 */
async function takeBack(
  cluster: ClusterHome,
  begun: readonly string[],
  isPart: boolean,
  ctx: CommandContext,
): Promise<void> {
  if (begun.length === 0) return ctx.warn("Interrupted: nothing was started\n")
  const answering = begun.filter((name) => processState(cluster, name).answers)
  const stopped = begun.filter((name) => !answering.includes(name))
  ctx.warn(`Interrupted${stopped.length > 0 ? `: stopping ${stopped.join(", ")} again` : ""}\n`)
  const anew = { ...ctx, signal: new AbortController().signal }
  for (const name of stopped) await stopProcess(cluster, name, anew.clock, anew.signal)
  if (answering.length > 0) return tellLeft(cluster, answering, ctx)
  const config = cluster.read()
  if (config && !isPart) {
    const { clearMachine, stopCluster } = await import("../stop-cluster.ts")
    await stopCluster(cluster, config, anew, { keepState: true })
    if (config.hasNode) await clearMachine(cluster, config, anew)
  }
  const rest = isPart
    ? `the rest of the cluster "${cluster.name}" runs on`
    : `nothing of the cluster "${cluster.name}" runs`
  ctx.warn(`${rest}; "knarr up" goes on, "knarr delete" removes everything\n`)
}

/** How to look further into what a start has left running. */
function tellLeft(cluster: ClusterHome, answering: readonly string[], ctx: CommandContext): void {
  ctx.warn(
    `${answering.join(", ")} of the cluster "${cluster.name}" stay${answering.length === 1 ? "s" : ""} up; ` +
      `look further with "knarr status --name ${cluster.name}" and ` +
      `"knarr kubectl --kubeconfig ${cluster.kubeconfig} get --raw /readyz?verbose"; ` +
      `"knarr up" tries again, "knarr down" stops it\n`,
  )
}

/** Flags with which no server runs now are not kept: the next `up` without them is as it was before. */
function forgetFlags(cluster: ClusterHome, before: ClusterConfig | undefined): void {
  const config = cluster.read()
  if (config && processState(cluster, "server").pid === undefined)
    cluster.write({ ...config, apiServer: before?.apiServer ?? {} })
}

/** Starts a cluster of which nothing runs. */
async function startAll(
  cluster: ClusterHome,
  before: ClusterConfig | undefined,
  flags: Flags,
  ctx: CommandContext,
  begun: string[],
): Promise<ClusterConfig> {
  const { config: decided, lock } = await decideConfig(cluster, wishOf(before, flags), ctx)
  // A cluster with nodes is known to others once its settings are written; one without, by the ports it listens on.
  using _decided = lock
  const apiServer = keepApiServerFlags(flags, before?.apiServer)
  adopt(flags, apiServer, cluster)
  const config: ClusterConfig = {
    ...decided,
    simulatedNodes: simulatedOf(before, flags),
    ...(before?.kubeconfigs ? { kubeconfigs: before.kubeconfigs } : {}),
    ...(before?.hasStore ? { hasStore: true } : {}),
    apiServer,
  }
  cluster.write(config)
  if (config.hasNode) lock[Symbol.dispose]()
  ctx.print(`Starting cluster "${cluster.name}"\n`)
  begun.push(...processesOf(config))
  await start(cluster, config, processesOf(config), ctx)
  return config
}

/** Makes the server one more of another one's cluster. */
function adopt(flags: Flags, apiServer: FlagValues, cluster: ClusterHome): void {
  const from = flags["pki-from"]
  if (typeof from !== "string") return
  if (etcdOptions(apiServer) === undefined)
    throw new UsageError("--pki-from needs --etcd-servers: servers of one cluster have one etcd")
  adoptPki(resolve(from), cluster.pki)
}

/** Starts what does not run, or not well, of a cluster of which something runs. Nothing when all is well and as it is asked for. */
async function mend(
  cluster: ClusterHome,
  before: ClusterConfig,
  flags: Flags,
  ctx: CommandContext,
  begun: string[],
): Promise<ClusterConfig> {
  const agents = Math.max(numberFlag(flags, "agents", 0, maxAgents) ?? 0, before.agents)
  if (agents > 0 && !before.hasNode)
    throw new UsageError(`the cluster "${cluster.name}" was started with --no-agent: stop it first`)
  refuseChange(cluster.name, before, readRangeFlags(flags))
  const apiServer = keepApiServerFlags(flags, before.apiServer)
  const changed = changedFlag(before.apiServer ?? {}, apiServer)
  if (changed !== undefined && processState(cluster, "server").pid !== undefined)
    throw new UsageError(
      `the server of the cluster "${cluster.name}" runs, and --${changed} counts from its start: stop the cluster first`,
    )
  const problem = before.hasNode ? problemOf(before, 1 + agents) : undefined
  if (problem) throw new UsageError(problem)
  const simulatedNodes = simulatedOf(before, flags)
  if (simulatedNodes !== simulatedOf(before, {}))
    throw new UsageError(
      `the cluster "${cluster.name}" runs, and --simulated-nodes counts from its start: stop the cluster first`,
    )
  const config = { ...before, agents, apiServer }
  const names = processesOf(config).filter((name) => !isWell(processState(cluster, name)))
  const { pid } = processState(cluster, "server")
  const port = numberFlag(flags, "port", 1, 65_535) ?? before.port
  if (port !== before.port)
    throw new UsageError(
      `the cluster "${cluster.name}" is already running (process ${pid}); stop it with "knarr down" first`,
    )
  if (names.length === 0) {
    ctx.print(`The cluster "${cluster.name}" is already running (process ${pid})\n`)
    return config
  }
  cluster.write(config)
  ctx.print(`Starting ${names.join(", ")} of the running cluster "${cluster.name}"\n`)
  begun.push(...names)
  await start(cluster, config, names, ctx)
  return config
}

/** Makes the certificates, and starts the processes beside one another. Rejects with the first failure. */
async function start(
  cluster: ClusterHome,
  config: ClusterConfig,
  names: readonly string[],
  ctx: CommandContext,
): Promise<void> {
  const pki = ensurePki(cluster.pki, ctx, serverAddresses(config))
  for (const { node, address } of nodesOf(config))
    ensureNodePki(cluster.nodePki(node), ctx, pki.ca, node, address)
  if (config.simulatedNodes) ensureSimulatedPki(cluster, ctx, pki.ca)
  const server = `https://127.0.0.1:${config.port}`
  writeKubeconfig(cluster.kubeconfig, adminKubeconfig(contextName(cluster), server, pki))

  await using scope = new Scope("up")
  const onAbort = (): void => void scope.close(ctx.signal.reason)
  ctx.signal.addEventListener("abort", onAbort, { once: true })
  const startOne = async (name: string): Promise<void> => {
    const node = agentNames(config).find((one) => one.node === name)
    if (node)
      await prepareNetns(config, node, names.includes(firstNode(config).node), ctx.clock, scope.signal)
    await startProcess({
      ...{ cluster, process: name, clock: ctx.clock, signal: scope.signal },
      command: [
        ...(node ? ["nsenter", `--net=/run/netns/${node.netns}`] : []),
        ...[process.execPath, ...process.execArgv],
        ...nodeFlagsOf(name),
        process.argv[1]!,
        ...processWords(name),
        ...["--cluster-dir", cluster.dir],
      ],
      onWait: (why) => ctx.print(`         waiting for ${name} to be ready: ${why}\n`),
      onStep: (step, ms) => ctx.print(` ${formatSeconds(ms)}  ${node ? `${name}: ` : ""}${step}\n`),
    })
  }
  let failure: { readonly thrown: unknown } | undefined
  await Promise.all(
    names.map(async (name) => {
      try {
        await startOne(name)
      } catch (thrown) {
        // The others wait for it in vain. The first failure is the cause.
        failure ??= { thrown }
        void scope.close()
      }
    }),
  )
  ctx.signal.removeEventListener("abort", onAbort)
  if (failure) throw failure.thrown
}

/** Makes the network namespace of a further node, once the first one has made the network that they share. */
async function prepareNetns(
  config: ClusterConfig,
  node: LocalNode,
  isFirstStarting: boolean,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const network = networkOf(config)
  const bridge = `/sys/class/net/${nodeBridge(network)}`
  while (isFirstStarting && !existsSync(bridge)) await clock.sleep(networkPollMs, signal)
  await createNodeNetns({ cluster: network, index: node.number }, signal)
}

function simulatedOf(before: ClusterConfig | undefined, flags: Flags): number {
  return numberFlag(flags, "simulated-nodes", 0, maxSimulatedNodes) ?? before?.simulatedNodes ?? 0
}

function wishOf(before: ClusterConfig | undefined, flags: Flags): Wish {
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
