/** `knarr status`: the clusters of this home, or one of them with its nodes. */
import { node } from "@knarr/api"
import { createRestClient, createTransport, loadKubeconfig, resolveContext } from "@knarr/client"
import {
  DamagedClusterError,
  knarrHome,
  listClusters,
  type ClusterConfig,
  type ClusterHome,
} from "../cluster-home.ts"
import { restoreFiles } from "../process-files.ts"
import { lastErrorLine, processState, processesOf, type ProcessState } from "../process-state.ts"
import { simulatedProcess } from "../simulated-names.ts"
import { errorOf, readProgress } from "../start-progress.ts"
import { clusterFlags, existingCluster } from "./cluster-flags.ts"
import { defineCommand, type CommandContext } from "./command.ts"

const answerTimeoutMs = 5_000

export const status = defineCommand({
  name: "status",
  usage: "[--name NAME] [--home DIR]",
  summary:
    "Show which clusters there are and how they are; exits 1 when one that is shown does not run or is not ready",
  flags: clusterFlags,
  async run({ flags }, ctx) {
    const home = knarrHome(flags["home"] as string | undefined, ctx.environment)
    const clusters = flags["name"] === undefined ? listClusters(home) : [existingCluster(flags, ctx).cluster]
    if (clusters.length === 0) {
      ctx.print(`No clusters in ${home}; create one with "knarr up"\n`)
      return 0
    }
    let allRun = true
    for (const cluster of clusters) allRun = (await showIfReadable(cluster, ctx)) && allRun
    return allRun ? 0 : 1
  },
})

/** A cluster whose settings cannot be read does not hide the others. */
async function showIfReadable(cluster: ClusterHome, ctx: CommandContext): Promise<boolean> {
  let config
  try {
    config = cluster.read()
  } catch (thrown) {
    if (!(thrown instanceof DamagedClusterError)) throw thrown
    ctx.print(`cluster ${cluster.name}: damaged\n`)
    ctx.warn(`error: ${thrown.message}\n`)
    return false
  }
  return config === undefined || show(cluster, config, ctx)
}

/** Whether all of it runs and its API server is ready. */
async function show(cluster: ClusterHome, config: ClusterConfig, ctx: CommandContext): Promise<boolean> {
  restoreFiles(cluster, config)
  const states = new Map(processesOf(config).map((name) => [name, processState(cluster, name)]))
  const server = states.get("server")!
  const isStopped = [...states.values()].every(
    (one) => one.pid === undefined && one.supervisorPid === undefined,
  )
  ctx.print(
    `cluster ${cluster.name}: ${isStopped ? "stopped" : server.pid === undefined ? `server ${describe(server)}` : `running (process ${server.pid})`}\n`,
  )
  ctx.print(`  kubeconfig  ${cluster.kubeconfig}\n`)
  if (isStopped) {
    const start = readProgress(cluster.progressFile("server"))
    const failed = start?.told.some((one) => "ready" in one) ? undefined : errorOf(start)
    if (failed !== undefined) ctx.print(`              its last start failed: ${failed}\n`)
    return false
  }
  const { isReady, told } = await readiness(cluster, ctx)
  ctx.print(`  API server  https://127.0.0.1:${config.port}  ${told}\n`)
  for (const [name, state] of states) {
    const lines = troubles(cluster, name, state, ctx)
    if (name === simulatedProcess)
      ctx.print(`  ${name.padEnd(10)}  ${config.simulatedNodes} nodes ${describe(state)}\n`)
    else if (name !== "server") {
      ctx.print(`  ${name.padEnd(10)}  agent ${describe(state)}, ${await nodeState(cluster, name, ctx)}\n`)
      if (state.pid !== undefined) lines.push(...(await failingParts(cluster, name, ctx)))
    }
    for (const line of lines) ctx.print(`  ${" ".repeat(10)}  ${line}\n`)
  }
  if (config.hasNode && process.getuid?.() === 0) {
    const { readObstacles } = await import("../node/host-watch.ts")
    for (const obstacle of await readObstacles(config, ctx.signal)) ctx.print(`  warning     ${obstacle}\n`)
  }
  return isReady && [...states.values()].every(({ pid }) => pid !== undefined)
}

function describe({ pid, supervisorPid, pauseMs, ready, restarts }: ProcessState): string {
  if (pid !== undefined) return `${ready ? "running" : "starting"} (process ${pid})`
  if (supervisorPid === undefined) return "stopped"
  if (restarts === 0) return "starting"
  return `restarting${pauseMs > 0 ? ` after a pause of ${pauseMs / 1000} s` : ""}`
}

/** What a process went through, a line each; nothing of one that is well and always was. */
function troubles(cluster: ClusterHome, name: string, state: ProcessState, ctx: CommandContext): string[] {
  const { pid, supervisorPid, restarts, lastExit, lastExitAt, problem } = state
  const lines = []
  if (pid !== undefined && supervisorPid === undefined)
    lines.push(`${name} has no supervisor: nothing would start it again; "knarr up" mends that`)
  if (pid === undefined && supervisorPid === undefined)
    lines.push(`${name} does not run; "knarr up" starts it`)
  if (restarts > 0) {
    const seconds = Math.max(0, Math.round(ctx.clock.now() / 1000 - lastExitAt))
    const times = restarts === 1 ? "once" : `${restarts} times`
    lines.push(`${name} was restarted ${times}, last ${seconds} s ago after ${lastExit}`)
  }
  if (problem !== undefined) lines.push(`cannot start, and tries again: ${problem}`)
  const error = restarts > 0 || pid === undefined ? lastErrorLine(cluster, name) : undefined
  if (error !== undefined) lines.push(`its last error: ${error}`)
  return lines
}

async function readiness(
  cluster: ClusterHome,
  ctx: CommandContext,
): Promise<{ readonly isReady: boolean; readonly told: string }> {
  const { status, failed } = await failedChecks(cluster, "/readyz", ctx)
  if (status === 0) return { isReady: false, told: "does not answer" }
  const reasons = failed.map(({ name, reason }) => `${name}: ${reason}`).join("; ")
  if (status === 200) return { isReady: true, told: "ready" }
  return { isReady: false, told: [`not ready (${status})`, reasons].filter(Boolean).join(": ") }
}

/** What of an agent fails or waits for its next start, as its kubelet says: a line each. */
async function failingParts(cluster: ClusterHome, name: string, ctx: CommandContext): Promise<string[]> {
  const { failed } = await failedChecks(cluster, `/api/v1/nodes/${name}/proxy/healthz`, ctx)
  return failed.map((one) =>
    one.name === "tasks" ? `waits to try again: ${one.reason}` : `${one.name}: ${one.reason}`,
  )
}

/** What a path of checks answers, 0 when nobody does, and those that fail, with their reasons. */
async function failedChecks(
  cluster: ClusterHome,
  path: string,
  ctx: CommandContext,
): Promise<{ status: number; failed: { readonly name: string; readonly reason: string }[] }> {
  using transport = createTransport(resolveContext(await loadKubeconfig([cluster.kubeconfig])).transport)
  const signal = AbortSignal.timeout(answerTimeoutMs)
  const ask = async (asked: string) => {
    const response = await transport.request({ method: "GET", path: asked, signal })
    return { status: response.status, text: (await response.buffer()).toString("utf8") }
  }
  try {
    const all = await ask(path)
    const names = [...all.text.matchAll(/^\[-\](\S+) failed/gm)].map(([, name]) => name!)
    const reasons = await Promise.all(
      names.map(async (name) => {
        const one = await ask(`${path}/${name}`)
        const reason = one.text.replace("internal server error: ", "").trim()
        // It may have passed since.
        return one.status === 200 ? [] : [{ name, reason }]
      }),
    )
    return { status: all.status, failed: reasons.flat() }
  } catch (thrown) {
    ctx.log.debug("Nobody answers", { path, err: thrown })
    return { status: 0, failed: [] }
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
