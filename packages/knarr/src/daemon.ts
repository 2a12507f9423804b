/** What `knarr server` and `knarr agent` have in common: how a process of a cluster begins, fails and ends. */
import { basename, dirname } from "node:path"
import {
  CancelledError,
  Meter,
  Scope,
  TimeoutError,
  abortable,
  asError,
  createLogger,
  withTimeout,
  type Env,
} from "@knarr/base"
import { ClusterHome, UsageError, type ClusterConfig } from "./cluster-home.ts"
import { clusterOf } from "./commands/cluster-flags.ts"
import type { CommandContext } from "./commands/command.ts"
import { holdFile, runningPid } from "./pid-file.ts"
import { openProcessLog } from "./process-log.ts"
import { createSteps, type Steps } from "./start-progress.ts"

export interface DaemonContext {
  readonly cluster: ClusterHome
  readonly config: ClusterConfig
  readonly env: Env
  readonly scope: Scope
  readonly steps: Steps
}

/** How long a process that is to end may take to put its things in order. */
const closeLimitMs = 10_000

/** The cluster that `--cluster-dir`, or `--home` and `--name`, mean. Throws when there is none. */
export function daemonCluster(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  ctx: CommandContext,
): { cluster: ClusterHome; config: ClusterConfig } {
  const dir = flags["cluster-dir"] as string | undefined
  const cluster = dir ? new ClusterHome(dirname(dir), basename(dir)) : clusterOf(flags, ctx)
  const config = cluster.read()
  if (!config) throw new UsageError(`there is no cluster in ${cluster.dir}; create it with "knarr up"`)
  return { cluster, config }
}

/**
 * Runs a process of a cluster until it is asked to stop, and then ends this process: with 0, or with 1 when `start`
 * or anything in its scope failed. Throws a UsageError when the process runs already.
 */
export async function runDaemon(
  name: string,
  { cluster, config }: { readonly cluster: ClusterHome; readonly config: ClusterConfig },
  ctx: CommandContext,
  start: (daemon: DaemonContext) => Promise<void>,
): Promise<never> {
  const write = openProcessLog(process.stderr.fd)
  const level = ctx.environment["KNARR_LOG"] === "debug" ? "debug" : "info"
  const log = createLogger({ clock: ctx.clock, level, write })
  const env: Env = { clock: ctx.clock, random: ctx.random, log, meter: new Meter() }
  const held = holdFile(cluster.pidFile(name), `${name} of the cluster "${cluster.name}" is running`)
  const exit = (code: number): never => {
    held[Symbol.dispose]()
    tellSupervisor(cluster.supervisorFile(name))
    // Whatever still waits must not keep a process whose work is over.
    process.exit(code)
  }
  const steps = createSteps(ctx.clock, log, cluster.progressFile(name))
  // The last resort, for what no scope has caught: going on would be going on in an unknown state.
  process.on("uncaughtException", (error: unknown, origin) => {
    log.error("The process cannot go on", error, { origin, stack: asError(error).stack })
    exit(1)
  })
  const scope = new Scope(name, { env })
  const stop = (): void => void scope.close(ctx.signal.reason).catch(() => {})
  ctx.signal.addEventListener("abort", stop, { once: true })
  let failed = false
  try {
    await start({ cluster, config, env, scope, steps })
    steps.ready()
    await aborted(scope.signal)
  } catch (thrown) {
    failed = !(thrown instanceof CancelledError)
    if (failed) {
      log.error("Cannot start", thrown, { stack: asError(thrown).stack })
      steps.failed(asError(thrown))
    }
  }
  const never = new AbortController().signal
  try {
    await withTimeout(ctx.clock, closeLimitMs, "the end of everything that runs", never, (inner) =>
      abortable(scope.close(), inner),
    )
  } catch (thrown) {
    // The error of a task that failed was said by its scope.
    if (thrown instanceof TimeoutError) log.error("Cannot end in order", thrown)
  }
  return exit(failed || !(scope.signal.reason instanceof CancelledError) ? 1 : 0)
}

/** From now on it waits 2 s for our end, and then sees to it: this process may hang in its last moments. */
function tellSupervisor(file: string): void {
  // One that knows nothing of it ignores the signal.
  if (runningPid(file) === process.ppid) process.kill(process.ppid, "SIGURG")
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener("abort", () => resolve(), { once: true })
  })
}
