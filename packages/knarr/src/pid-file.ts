/** Files that name a process: who runs, and who alone may do something. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { UsageError, readIfThere, writeFailure } from "./cluster-home.ts"

/** A process; the start time tells it from a later one that got the same number. */
export interface ProcessIdentity {
  readonly pid: number
  readonly started: string
}

/** The process that a file names; undefined when it is not running (any more). */
export function runningProcess(file: string): ProcessIdentity | undefined {
  const [pid, started = ""] = (readIfThere(file) ?? "").trim().split(" ")
  const named = { pid: Number(pid), started }
  return isRunning(named) ? named : undefined
}

/** The same process' number. */
export function runningPid(file: string): number | undefined {
  return runningProcess(file)?.pid
}

export function isRunning({ pid, started }: ProcessIdentity): boolean {
  return started !== "" && startTimeOf(pid) === started
}

/** What this process holds: a file may name it before, when somebody who missed the file has written it. */
const held = new Set<string>()

/** Holds a file for this process until disposed of. Throws a UsageError when it is held. */
export function holdFile(file: string, what: string): Disposable {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const holder = nameProcess(file, process.pid)
  if (holder !== process.pid || held.has(file)) throw new UsageError(`${what} (process ${holder})`)
  held.add(file)
  return {
    [Symbol.dispose]() {
      held.delete(file)
      rmSync(file, { force: true })
    },
  }
}

/** Makes a file name a process, unless it names one that runs; returns the one that it names. */
export function nameProcess(file: string, pid: number): number {
  // Whole or not at all: nobody must find it empty and take it for a dead one's.
  const own = `${file}.${process.pid}`
  try {
    writeFileSync(own, `${pid} ${startTimeOf(pid) ?? ""}\n`, { mode: 0o600 })
    while (!link(own, file)) {
      const holder = runningPid(file)
      if (holder !== undefined) return holder
      removeStale(file)
    }
    return pid
  } catch (thrown) {
    throw writeFailure(file, thrown)
  } finally {
    rmSync(own, { force: true })
  }
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown
    return false
  }
}

/** Its holder died without letting go. Another process may be finding out the same, and be the new holder by now. */
function removeStale(file: string): void {
  const aside = `${file}.stale-${process.pid}`
  try {
    renameSync(file, aside)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return
    throw thrown
  }
  if (runningPid(aside) !== undefined) link(aside, file)
  rmSync(aside, { force: true })
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
