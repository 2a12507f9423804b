/**
 * One process at a time may use a store's directory. The lock is one that the kernel holds (SQLite's, which
 * Node brings along: Node has no flock), so it ends with its process whatever way that ends, and works across
 * containers, where process ids say nothing.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { NoSpaceError } from "../store.ts"

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
  const lockFile = join(dir, "lock")
  const lock = new DatabaseSync(lockFile)
  try {
    lock.exec("PRAGMA journal_mode = OFF; PRAGMA locking_mode = EXCLUSIVE")
    // Locking an empty file would write to it, now or at a start when the disk is full.
    if (statSync(lockFile).size === 0) lock.exec("PRAGMA user_version = 1")
    lock.exec("BEGIN EXCLUSIVE")
  } catch (thrown) {
    lock.close()
    const code = thrown instanceof Error && "errcode" in thrown ? thrown.errcode : undefined
    if (code === 5 /* SQLITE_BUSY */) throw new StoreInUseError(dir, readPid(pidFile))
    throw code === 13 /* SQLITE_FULL */ ? new NoSpaceError(thrown) : thrown
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
