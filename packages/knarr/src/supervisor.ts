/**
 * The processes of a cluster, each with a supervisor that starts it again when it ends unasked: a small shell script
 * (supervise.sh) in a session of its own, which is a transient systemd unit where systemd runs.
 */
import { execFile, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { closeSync, existsSync, mkdirSync, openSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import type { Clock } from "@knarr/base"
import type { ClusterHome } from "./cluster-home.ts"
import { allocatorSettings } from "./daemon-settings.ts"
import { isRunning, runningProcess, type ProcessIdentity } from "./pid-file.ts"
import { lastTrouble, processState } from "./process-state.ts"
import { errorOf, readProgress } from "./start-progress.ts"

export interface StartOptions {
  readonly cluster: ClusterHome
  /** `server` or a node's name. */
  readonly process: string
  readonly command: readonly string[]
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onStep: (step: string, ms: number) => void
  /** Told now and then, when the process does not get further: what it warned of last. */
  readonly onWait: (why: string) => void
  /** How long a process may take from one step to the next; default 300_000. */
  readonly stepLimitMs?: number
  /** After this time without a step `onWait` is told, and again each time when it has doubled; default 5_000. */
  readonly patienceMs?: number
}

/** Beside the bundle, beside a chunk of it, or beside this source. */
const scriptPlaces = ["supervise.sh", "../supervise.sh"]
const followPollMs = 10
const stopPollMs = 10
/** In this time a supervisor is there. */
const supervisorLimitMs = 5_000
/** A process that was asked to stop and has not is killed after this time. */
const stopGraceMs = 15_000

/**
 * Starts a process that outlives us under a supervisor of its own, ending what is left of an earlier one; resolves
 * when it says that it is ready. Rejects with what went wrong when its first start fails, or does not get further;
 * nothing of it runs then, but for a server that can be asked: it is where the cause is to be found and mended.
 */
export async function startProcess(options: StartOptions): Promise<void> {
  const { cluster, process: name, clock, signal } = options
  try {
    await stopProcess(cluster, name, clock, signal)
    rmSync(cluster.progressFile(name), { force: true })
    await spawnSupervisor(options)
    await followStart(options)
  } catch (thrown) {
    // Also when it was our own stop that ended the wait.
    if (!processState(cluster, name).answers)
      await stopProcess(cluster, name, clock, new AbortController().signal)
    throw thrown
  }
}

/** Asks supervisor and process to stop, and kills them when they have not in time. True when one of them ran. */
export async function stopProcess(
  cluster: ClusterHome,
  name: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  const asked = new Set<number>()
  /** All that were seen: a process lets go of its file before it has ended, and may not end by itself then. */
  const seen = new Map<number, ProcessIdentity>()
  const kill = (pid: number, how: NodeJS.Signals): void => {
    try {
      process.kill(pid, how)
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "ESRCH") throw thrown
    }
  }
  for (const begun = clock.monotonic(); ;) {
    const found = [cluster.supervisorFile(name), cluster.pidFile(name)].map(runningProcess)
    for (const one of found) if (one) seen.set(one.pid, one)
    for (const one of seen.values()) if (!isRunning(one)) seen.delete(one.pid)
    if (seen.size === 0) break
    const [supervisor, pid] = found.map((one) => one?.pid)
    // The supervisor passes the signal on; asked twice a process ends at once, not in order.
    const target = supervisor ?? pid
    if (target !== undefined && !asked.has(target)) {
      kill(target, "SIGTERM")
      asked.add(target)
    }
    if (pid !== undefined && supervisor !== undefined) asked.add(pid)
    if (clock.monotonic() - begun > stopGraceMs) for (const one of seen.keys()) kill(one, "SIGKILL")
    await clock.sleep(stopPollMs, signal)
  }
  for (const file of [cluster.pidFile(name), cluster.supervisorFile(name), cluster.stateFile(name)])
    rmSync(file, { force: true })
  return asked.size > 0
}

async function spawnSupervisor(options: StartOptions): Promise<void> {
  const { cluster, process: name, signal } = options
  const logFile = cluster.log(name)
  mkdirSync(dirname(logFile), { recursive: true, mode: 0o700 })
  const script = scriptPlaces
    .map((place) => join(import.meta.dirname, place))
    .find((file) => existsSync(file))
  if (script === undefined) throw new Error("Cannot find supervise.sh: it belongs beside the program")
  const command = ["sh", script, cluster.processPrefix(name), logFile, ...options.command]
  const env = { ...process.env, ...allocatorSettings }
  if (existsSync("/run/systemd/system") && process.getuid?.() === 0)
    return startUnit(unitName(cluster, name), command, env, logFile, signal)
  const log = openSync(logFile, "a", 0o600)
  const child = spawn(command[0]!, command.slice(1), {
    ...{ detached: true, stdio: ["ignore", log, log], env },
    cwd: "/",
  })
  closeSync(log)
  await new Promise<void>((resolve, reject) => {
    child.once("error", (error) => reject(new Error(`Cannot start ${name}: ${error.message}`)))
    child.once("spawn", resolve)
  })
  child.unref()
}

/** A unit ends in order with exit code 0, when asked; a supervisor that is killed is started again by systemd. */
async function startUnit(
  unit: string,
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  log: string,
  signal: AbortSignal,
): Promise<void> {
  await promisify(execFile)("systemd-run", unitArguments(unit, command, env, log), { signal })
}

/** Containers and what runs them are in the unit's cgroup: only its first process ends with it. */
export function unitArguments(
  unit: string,
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  log: string,
): string[] {
  const properties = {
    Restart: "on-failure",
    RestartSec: "100ms",
    StartLimitIntervalSec: "0",
    KillMode: "process",
    Delegate: "yes",
    TasksMax: "infinity",
    LimitNOFILE: "1048576",
    StandardOutput: `append:${log}`,
    StandardError: `append:${log}`,
  }
  return [
    ...["--quiet", "--collect", `--unit=${unit}`, "--service-type=exec"],
    ...Object.entries(properties).map(([key, value]) => `--property=${key}=${value}`),
    // By name: systemd-run takes the values from its own environment.
    ...Object.keys(env)
      .filter((key) => /^[A-Za-z_]\w*$/.test(key))
      .map((key) => `--setenv=${key}`),
    "--",
    ...command,
  ]
}

/** Clusters of two homes may share a name. */
function unitName(cluster: ClusterHome, process: string): string {
  const id = createHash("sha256").update(cluster.dir).digest("hex").slice(0, 8)
  return `knarr-${cluster.name}-${id}-${process}`
}

async function followStart(options: StartOptions): Promise<void> {
  const { cluster, process: name, clock, signal, onStep, onWait } = options
  const { stepLimitMs = 300_000, patienceMs = 5_000 } = options
  const begun = clock.monotonic()
  const since = new Date(clock.now()).toISOString()
  const why = (): string => lastTrouble(cluster, name, since) ?? `no reason is in ${cluster.log(name)}`
  let lastStep = begun
  let patience = patienceMs
  for (let seen = 0; ;) {
    // In this order: whoever ended has told before.
    const { lastExit, supervisorPid } = processState(cluster, name)
    const start = readProgress(cluster.progressFile(name))
    const failure = errorOf(start)
    if (failure !== undefined) throw new Error(failure)
    for (const one of (start?.told ?? []).slice(seen)) {
      if ("ready" in one) return
      if ("step" in one) onStep(one.step, one.ms)
      seen++
      lastStep = clock.monotonic()
      patience = patienceMs
    }
    const waitedMs = clock.monotonic() - lastStep
    if (waitedMs > patience) {
      onWait(why())
      patience *= 2
    }
    if (waitedMs > stepLimitMs)
      throw new Error(`${name} is not ready, and has not got further for ${stepLimitMs / 1000} s: ${why()}`)
    if (lastExit !== undefined) throw new Error(`${name} ended (${lastExit}); see ${cluster.log(name)}`)
    if (supervisorPid === undefined && clock.monotonic() - begun > supervisorLimitMs)
      throw new Error(`the supervisor of ${name} ended; see ${cluster.log(name)}`)
    await clock.sleep(followPollMs, signal)
  }
}
