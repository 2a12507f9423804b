/** How the processes of a cluster are doing, from the files that they and their supervisors write. */
import { readIfThere, type ClusterConfig, type ClusterHome } from "./cluster-home.ts"
import { nodesOf } from "./node-names.ts"
import { runningPid } from "./pid-file.ts"
import { simulatedProcess } from "./simulated-names.ts"
import { answeringStep, readProgress } from "./start-progress.ts"

/** How a process of a cluster is doing. */
export interface ProcessState {
  /** Undefined when it does not run. */
  readonly pid: number | undefined
  /** Undefined when nobody would start the process again. */
  readonly supervisorPid: number | undefined
  /** It runs and has said so. */
  readonly ready: boolean
  /** It runs, has not failed, and can be asked: true of a server before it is ready. */
  readonly answers: boolean
  /** What it failed of while it started, and tries again; undefined of one that is ready or has not failed. */
  readonly problem: string | undefined
  /** Since the supervisor was started. */
  readonly restarts: number
  /** For example `signal SIGKILL` or `exit code 1`; undefined when it never ended unasked. */
  readonly lastExit: string | undefined
  /** Seconds since the epoch. */
  readonly lastExitAt: number
  /** How long the supervisor waits before the next start; 0 while the process runs. */
  readonly pauseMs: number
}

/** The processes of a cluster, by name. */
export function processesOf(config: ClusterConfig): string[] {
  return [
    "server",
    ...nodesOf(config).map(({ node }) => node),
    ...(config.simulatedNodes ? [simulatedProcess] : []),
  ]
}

export function processState(cluster: ClusterHome, process: string): ProcessState {
  const pid = runningPid(cluster.pidFile(process))
  const supervisorPid = runningPid(cluster.supervisorFile(process))
  const progress = readProgress(cluster.progressFile(process))
  const ready = pid !== undefined && progress?.pid === pid && progress.told.some((one) => "ready" in one)
  const steps = pid !== undefined && progress?.pid === pid ? progress.told : []
  const answers =
    ready ||
    (steps.some((one) => "step" in one && one.step === answeringStep) && !steps.some((one) => "error" in one))
  const told = supervisorPid === undefined ? undefined : readState(cluster.stateFile(process))
  return {
    ...{ pid, supervisorPid, ready, answers },
    problem:
      ready || pid === undefined || progress?.pid !== pid
        ? undefined
        : progress.told.findLast((one) => "error" in one)?.error,
    restarts: told?.restarts ?? 0,
    lastExit: told?.lastExit || undefined,
    lastExitAt: told?.lastExitAt ?? 0,
    pauseMs: told?.pauseMs ?? 0,
  }
}

/** True for a process that needs nothing from `up`. */
export function isWell(state: ProcessState): boolean {
  return state.ready && state.supervisorPid !== undefined
}

/** What to say of the processes that failed or ended unasked and are not ready yet; "" when there is none. */
export function tellRestarting(cluster: ClusterHome): string {
  const config = cluster.read()
  const restarting = (config ? processesOf(config) : []).flatMap((name) => {
    const { ready, restarts, lastExit, problem } = processState(cluster, name)
    if (problem !== undefined) return [`${name} cannot start: ${problem}`]
    return ready || restarts === 0 ? [] : [`${name} is started again (${restarts} restarts): ${lastExit}`]
  })
  return restarting.join("; ")
}

/** The last line that the process logged as an error, without its stack; undefined when its log has none. */
export function lastErrorLine(cluster: ClusterHome, name: string): string | undefined {
  return lines(cluster, name, /^(\S+Z ERROR |error: ).*$/gm).at(-1)
}

/** The last line that the process logged as an error or a warning after `since` (as times are in the log). */
export function lastTrouble(cluster: ClusterHome, name: string, since: string): string | undefined {
  return lines(cluster, name, /^\S+Z (ERROR|WARN) .*$/gm).findLast((line) => line > since)
}

/** Those of the process's log that match, without stacks. */
function lines(cluster: ClusterHome, name: string, pattern: RegExp): string[] {
  const found = readIfThere(cluster.log(name))?.match(pattern) ?? []
  return found.map((line) => line.replace(/ stack="(\\.|[^"\\])*"/, ""))
}

interface SupervisorState {
  readonly restarts: number
  readonly lastExit: string
  readonly lastExitAt: number
  readonly pauseMs: number
}

function readState(file: string): SupervisorState | undefined {
  const text = readIfThere(file)
  return text === undefined ? undefined : (JSON.parse(text) as SupervisorState)
}
