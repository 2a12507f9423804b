/** Starting, finding and ending the cluster's processes. */
import { spawn, type ChildProcess } from "node:child_process"
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import type { Readable } from "node:stream"
import { CancelledError, type Clock } from "@knarr/base"
import { lines } from "@knarr/client"
import { UsageError, writeAtomically } from "./cluster-home.ts"
import { allocatorSettings } from "./daemon-settings.ts"

/** A process by its pid file; undefined when it is not running (any more). */
export function runningPid(pidFile: string): number | undefined {
  if (!existsSync(pidFile)) return undefined
  const [pid, started] = readFileSync(pidFile, "utf8").trim().split(" ")
  // The start time tells our process from a later one that got the same number.
  return startTimeOf(Number(pid)) === started ? Number(pid) : undefined
}

export function writePidFile(pidFile: string, pid: number): void {
  writeAtomically(pidFile, `${pid} ${startTimeOf(pid) ?? ""}\n`)
}

/** Holds a file for this process until disposed of. Throws a UsageError when another process holds it. */
export function holdFile(file: string, what: string): Disposable {
  const text = `${process.pid} ${startTimeOf(process.pid) ?? ""}\n`
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  for (;;) {
    try {
      writeFileSync(file, text, { flag: "wx", mode: 0o600 })
      return { [Symbol.dispose]: () => rmSync(file, { force: true }) }
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown
    }
    const holder = runningPid(file)
    if (holder !== undefined) throw new UsageError(`${what} (process ${holder}); wait for it to end`)
    // Its holder died without letting go.
    rmSync(file, { force: true })
  }
}

/** Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return fields[0] === "Z" ? undefined : fields[19]
  } catch {
    return undefined
  }
}

/** What a starting process tells its parent on file descriptor 3, a line each. */
export type Progress =
  | { readonly step: string; readonly ms: number }
  | { readonly ready: true }
  | { readonly error: string }

export interface SpawnOptions {
  readonly command: readonly string[]
  readonly log: string
  readonly pidFile: string
  readonly onStep: (step: string, ms: number) => void
  readonly clock: Clock
  /** Ends the process when it is aborted before the process is ready. */
  readonly signal: AbortSignal
}

/** How long a process that could not start may take to put its things in order. */
const failedGraceMs = 5_000

/** Starts a process that outlives us; resolves when it says that it is ready, rejects with what went wrong. */
export async function spawnDaemon(options: SpawnOptions): Promise<void> {
  mkdirSync(dirname(options.log), { recursive: true, mode: 0o700 })
  const log = openSync(options.log, "a", 0o600)
  const [program, ...args] = options.command
  const env = { ...process.env, ...allocatorSettings }
  const child = spawn(program!, args, { detached: true, stdio: ["ignore", log, log, "pipe"], env })
  closeSync(log)
  const exited = exitOf(child)
  if (child.pid !== undefined) writePidFile(options.pidFile, child.pid)
  const onAbort = (): void => void child.kill("SIGKILL")
  options.signal.addEventListener("abort", onAbort, { once: true })
  try {
    const failure = await progressOf(child, options)
    if (failure === undefined) return child.unref()
    using _limit = options.clock.timer(failedGraceMs, onAbort)
    const status = await exited
    rmSync(options.pidFile, { force: true })
    options.signal.throwIfAborted()
    throw new Error(failure || `the process ended (${status}); see ${options.log}`)
  } finally {
    options.signal.removeEventListener("abort", onAbort)
  }
}

/** Follows a start: undefined when the process is ready, else what it says went wrong, or "" when it ended mutely. */
async function progressOf(child: ChildProcess, options: SpawnOptions): Promise<string | undefined> {
  let failure = ""
  for await (const line of lines(child.stdio[3] as Readable)) {
    const progress = JSON.parse(line) as Progress
    if ("step" in progress) options.onStep(progress.step, progress.ms)
    else if ("error" in progress) failure = progress.error
    else {
      ;(child.stdio[3] as Readable).destroy()
      return undefined
    }
  }
  return failure
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message))
    child.on("exit", (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`))
  })
}

/** Asks the process to stop, and kills it when it has not after `graceMs`. True when it was running. */
export async function stopProcess(
  pidFile: string,
  clock: Clock,
  signal: AbortSignal,
  graceMs: number,
): Promise<boolean> {
  const pid = runningPid(pidFile)
  if (pid === undefined) {
    rmSync(pidFile, { force: true })
    return false
  }
  process.kill(pid, "SIGTERM")
  const end = clock.monotonic() + graceMs
  while (runningPid(pidFile) === pid) {
    if (clock.monotonic() > end) process.kill(pid, "SIGKILL")
    await clock.sleep(10, signal)
  }
  rmSync(pidFile, { force: true })
  return true
}

/** A signal that SIGINT and SIGTERM abort. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => controller.abort(new CancelledError("the process")))
  }
  return controller.signal
}
