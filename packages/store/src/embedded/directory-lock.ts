/**
 * One process at a time may use a store's directory. The lock is one that the kernel holds (SQLite's, which
 * Node brings along: Node has no flock), so it ends with its process whatever way that ends, and works across
 * containers, where process ids say nothing.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

/** Another process, or this one, has the store open. */
export class StoreInUseError extends Error {
  readonly pid: number | undefined
  constructor(dir: string, pid: number | undefined) {
    super(`Cannot open the store "${dir}": ${pid ? `process ${pid}` : "another process"} has it open`)
    this.name = "StoreInUseError"
    this.pid = pid
  }
}

/** Takes the lock, or throws {@link StoreInUseError}. Disposing gives it back. */
export function lockDirectory(dir: string): Disposable {
  const pidFile = join(dir, "pid")
  const lock = new DatabaseSync(join(dir, "lock"))
  try {
    lock.exec("PRAGMA journal_mode = OFF; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
  } catch (thrown) {
    lock.close()
    if (!(thrown instanceof Error && "errcode" in thrown && thrown.errcode === 5)) throw thrown
    throw new StoreInUseError(dir, readPid(pidFile))
  }
  try {
    writeFileSync(pidFile, `${process.pid}\n`)
  } catch {
    // It is only for the message above; a full disk must not keep the store from being read.
  }
  return { [Symbol.dispose]: () => lock.close() }
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, "utf8"), 10)
    return Number.isNaN(pid) ? undefined : pid
  } catch {
    return undefined
  }
}
