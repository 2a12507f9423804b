/** `knarr status`: the clusters of this home, or one of them with its nodes. */
import { node } from "@knarr/api"
import { createRestClient, createTransport, loadKubeconfig, resolveContext } from "@knarr/client"
import { knarrHome, listClusters, type ClusterConfig, type ClusterHome } from "../cluster-home.ts"
import { agentNames, firstNode } from "../node-names.ts"
import { runningPid } from "../process-control.ts"
import { clusterFlags, existingCluster } from "./cluster-flags.ts"
import { defineCommand, type CommandContext } from "./command.ts"

const answerTimeoutMs = 5_000

export const status = defineCommand({
  name: "status",
  usage: "[--name NAME] [--home DIR]",
  summary: "Show which clusters there are and how they are; exits 1 when one that is shown does not run",
  flags: clusterFlags,
  async run({ flags }, ctx) {
    const home = knarrHome(flags["home"] as string | undefined, ctx.environment)
    const clusters = flags["name"] === undefined ? listClusters(home) : [existingCluster(flags, ctx).cluster]
    if (clusters.length === 0) {
      ctx.print(`No clusters in ${home}; create one with "knarr up"\n`)
      return 0
    }
    let allRun = true
    for (const cluster of clusters) allRun = (await show(cluster, cluster.read()!, ctx)) && allRun
    return allRun ? 0 : 1
  },
})

async function show(cluster: ClusterHome, config: ClusterConfig, ctx: CommandContext): Promise<boolean> {
  const pid = runningPid(cluster.pidFile("server"))
  ctx.print(`cluster ${cluster.name}: ${pid === undefined ? "stopped" : `running (process ${pid})`}\n`)
  ctx.print(`  kubeconfig  ${cluster.kubeconfig}\n`)
  if (pid === undefined) return false
  ctx.print(`  API server  https://127.0.0.1:${config.port}  ${await readiness(cluster, ctx)}\n`)
  for (const { node: name } of [...(config.hasNode ? [firstNode(config)] : []), ...agentNames(config)]) {
    const process = name === "node-0" ? "server" : name
    const agent = runningPid(cluster.pidFile(process)) === undefined ? "agent stopped" : "agent running"
    ctx.print(`  ${name.padEnd(10)}  ${agent}, ${await nodeState(cluster, name, ctx)}\n`)
  }
  return true
}

async function readiness(cluster: ClusterHome, ctx: CommandContext): Promise<string> {
  using transport = createTransport(resolveContext(await loadKubeconfig([cluster.kubeconfig])).transport)
  try {
    const response = await transport.request({
      method: "GET",
      path: "/readyz",
      signal: AbortSignal.timeout(answerTimeoutMs),
    })
    return response.status === 200 ? "ready" : `not ready (${response.status})`
  } catch (thrown) {
    ctx.log.debug("The API server does not answer", { err: thrown })
    return "does not answer"
  }
}

async function nodeState(cluster: ClusterHome, name: string, ctx: CommandContext): Promise<string> {
  using transport = createTransport(resolveContext(await loadKubeconfig([cluster.kubeconfig])).transport)
  try {
    const found = await createRestClient({ transport }).get(
      node,
      { name },
      { signal: AbortSignal.timeout(answerTimeoutMs) },
    )
    return found.status.conditions?.some((c) => c.type === "Ready" && c.status === "True")
      ? "Ready"
      : "NotReady"
  } catch (thrown) {
    ctx.log.debug("Cannot read the node", { err: thrown })
    return "unknown"
  }
}
