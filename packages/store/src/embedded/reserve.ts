/**
 * The room at the end of the data file: blocks that the file has already, so that a commit never has to ask the
 * file system for more. LMDB (as lmdb-js builds it) writes beyond a buffer of its own when a write of a page
 * fails, so a full disk must be met here, where it is an ordinary error.
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statfsSync,
  write,
  writeSync,
} from "node:fs"
import { dirname } from "node:path"
import { promisify } from "node:util"
import { asError } from "@knarr/base"
import { NoSpaceError } from "../store.ts"
import { pageBytes } from "./batch-cost.ts"

/** Room that only deletions and compactions may use, so that a full store can be emptied. */
const forDeletions = 8 * 2 ** 20
/** With so much free inside of the file, half of that will do: what is written will mostly go there. */
const plentyInside = 32 * 2 ** 20
/** The file grows by at least this much, and by an eighth of what it holds, up to the most. */
const leastStep = 4 * 2 ** 20
const mostStep = 32 * 2 ** 20
const zeros = Buffer.alloc(2 ** 20)

/** On these file systems overwriting takes new blocks too: some room on the disk is all there is to go by. */
const copyOnWrite = new Set([0x9123683e /* btrfs */, 0x2fc12fc1 /* zfs */, 0xca451a4e /* bcachefs */])
const copyOnWriteRoom = 64 * 2 ** 20

const writeAt = promisify(write)
const datasync = promisify(fdatasync)

export class Reserve implements Disposable {
  /** Names the file system; the file itself may be renamed. */
  readonly #dir: string
  readonly #fd: number
  readonly #copyOnWrite: boolean
  /** Up to here the file has blocks on disk. */
  #end: number

  /**
   * Of a data file that exists. Holes in it (a copy by a program that saves zeros) are filled first. Throws
   * {@link NoSpaceError} when there is no room for that.
   */
  constructor(file: string) {
    this.#dir = dirname(file)
    this.#copyOnWrite = copyOnWrite.has(statfsSync(this.#dir).type)
    this.#fd = openSync(file, "r+")
    try {
      const { size, blocks } = fstatSync(this.#fd)
      if (blocks * 512 < size && !this.#copyOnWrite) fillHoles(this.#fd, size)
      this.#end = size
    } catch (thrown) {
      closeSync(this.#fd)
      throw diskError(asError(thrown))
    }
  }

  /**
   * Makes sure, while no commit runs, that a commit of at most `bytes` stays inside of the file. `used`: where
   * the pages in use end; `free`: bytes of pages within that are not in use. Throws {@link NoSpaceError} when
   * that cannot be; a commit that `frees` may use the last of the room.
   */
  async admit(bytes: number, state: { used: number; free: number }, frees: boolean): Promise<void> {
    const { used, free } = state
    // Should LMDB ever have written more than was admitted, that is there as well.
    this.#end = Math.max(this.#end, used)
    const kept = frees ? 0 : free >= plentyInside ? forDeletions / 2 : forDeletions
    const least = used + bytes + kept
    if (this.#copyOnWrite) this.#checkDisk(bytes + (frees ? copyOnWriteRoom / 2 : copyOnWriteRoom))
    if (this.#end >= least) return
    const step = Math.min(Math.max(Math.ceil(used / 8), leastStep), mostStep)
    try {
      await this.#extend(used + bytes + forDeletions + step)
    } catch (thrown) {
      if (!(thrown instanceof NoSpaceError)) throw thrown
      await this.#extend(least)
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }

  async #extend(end: number): Promise<void> {
    const start = this.#end
    if (end <= start) return
    let at = start
    try {
      this.#checkDisk(end - start)
      while (at < end) {
        const { bytesWritten } = await writeAt(this.#fd, zeros, 0, Math.min(zeros.length, end - at), at)
        at += bytesWritten
      }
      await datasync(this.#fd)
    } catch (thrown) {
      if (at > start) ftruncateSync(this.#fd, start)
      throw diskError(asError(thrown))
    }
    this.#end = end
  }

  /** Spares a full disk the attempt: without it each refused write would first fill what is left. */
  #checkDisk(bytes: number): void {
    const free = freeOnDisk(this.#dir)
    if (free < bytes) throw new NoSpaceError(new Error(`${free} bytes are free`))
  }
}

/** Bytes that this process may still write to the file system of a directory. */
export function freeOnDisk(dir: string): number {
  const { bavail, bfree, bsize } = statfsSync(dir)
  return (process.getuid?.() === 0 ? bfree : bavail) * bsize
}

/** Writes zeros where a file reads as zeros, which gives its holes blocks and changes nothing else. */
function fillHoles(fd: number, size: number): void {
  const chunk = Buffer.alloc(zeros.length)
  for (let at = 0; at < size;) {
    const read = readSync(fd, chunk, 0, Math.min(chunk.length, size - at), at)
    if (read === 0) break
    for (let from = 0; from < read; from += pageBytes) {
      const to = Math.min(from + pageBytes, read)
      if (chunk.compare(zeros, from, to, from, to) === 0) writeSync(fd, zeros, 0, to - from, at + from)
    }
    at += read
  }
  fdatasyncSync(fd)
}

const outOfSpace = new Set<unknown>(["ENOSPC", "EDQUOT", "EFBIG", 28, 122, 27, -30792 /* MDB_MAP_FULL */])

/** A {@link NoSpaceError} for the errors, of the system or of LMDB, that say so; others as they are. */
export function diskError(error: Error): Error {
  if (error instanceof NoSpaceError) return error
  return "code" in error && outOfSpace.has(error.code) ? new NoSpaceError(error) : error
}
