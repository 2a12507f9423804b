/**
 * The embedded store's file: an LMDB environment with six tables. All that knows LMDB is here.
 *
 *     log       revision → record (record.ts): every event, and all there is of a value
 *     keys      key → revision of its newest event, for keys that exist
 *     deleted   key → revision of its deletion, while that is in the log
 *     attached  lease, key → nothing
 *     leases    lease → JSON of its LeaseState
 *     meta      name → number: format, compacted, swept
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { type Database as Table, type RootDatabase, open } from "lmdb"
import { asError } from "@knarr/base"
import { DamagedStoreError, NoSpaceError } from "../store.ts"
import { checkDataFile } from "./file-check.ts"
import { type LogRecord, decodeRecord, numberBytes, readNumber } from "./record.ts"

export type Snapshot = ReturnType<RootDatabase["useReadTransaction"]>
export type ByteTable = Table<Buffer, Buffer>

const format = 1
/** Address space, not memory: the file grows as it is written. */
const mapBytes = 256 * 2 ** 30
const tableOptions = { encoding: "binary", keyEncoding: "binary", cache: false } as const

export class Database {
  readonly file: string
  readonly log: ByteTable
  readonly keys: ByteTable
  readonly deleted: ByteTable
  readonly attached: ByteTable
  readonly leases: ByteTable
  readonly #meta: ByteTable
  readonly #root: RootDatabase<Buffer, Buffer>

  /** Opens or makes the file in `dir`. Throws {@link DamagedStoreError}. */
  constructor(dir: string) {
    this.file = dataFile(dir)
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    try {
      checkDataFile(this.file)
      this.#root = open<Buffer, Buffer>({
        ...tableOptions,
        path: this.file,
        noSubdir: true,
        pageSize: 16384,
        mapSize: mapBytes,
        maxDbs: 8,
        overlappingSync: false,
        eventTurnBatching: false,
      })
    } catch (thrown) {
      throw this.#damaged(thrown)
    }
    try {
      const table = (name: string): ByteTable => this.#root.openDB<Buffer, Buffer>(name, tableOptions)
      this.log = table("log")
      this.keys = table("keys")
      this.deleted = table("deleted")
      this.attached = table("attached")
      this.leases = table("leases")
      this.#meta = table("meta")
      const found = this.number("format")
      if (found === undefined) this.#root.transactionSync(() => this.setNumber("format", format))
      else if (found !== format)
        throw new Error(`Cannot open the store "${this.file}": it has format ${found}, not ${format}`)
      syncDirectory(dir)
      syncDirectory(dirname(dir))
    } catch (thrown) {
      void this.#root.close()
      throw thrown
    }
  }

  /** A number of the table `meta`. */
  number(name: "format" | "compacted" | "swept"): number | undefined {
    const bytes = this.#meta.getBinary(Buffer.from(name))
    return bytes && readNumber(bytes)
  }

  /** Only inside of {@link commit}. */
  setNumber(name: "format" | "compacted" | "swept", value: number): void {
    void this.#meta.put(Buffer.from(name), numberBytes(value))
  }

  /** The newest revision in the file; 1 when there is none. */
  lastRevision(): number {
    for (const key of this.log.getKeys({ reverse: true, limit: 1 })) return readNumber(key)
    return 1
  }

  /** The record of a revision, undefined when it is not in the log. Throws {@link DamagedStoreError}. */
  record(revision: number, snapshot?: Snapshot): LogRecord | undefined {
    const bytes = this.log.get(numberBytes(revision), inSnapshot(snapshot))
    return bytes && this.decode(revision, bytes)
  }

  decode(revision: number, bytes: Uint8Array): LogRecord {
    try {
      return decodeRecord(revision, asBuffer(bytes))
    } catch (thrown) {
      throw this.#damaged(thrown)
    }
  }

  /** The record of a revision that the file itself refers to. */
  mustRecord(revision: number, snapshot?: Snapshot): LogRecord {
    const record = this.record(revision, snapshot)
    if (!record) throw this.#damaged(new Error(`Revision ${revision} is missing`))
    return record
  }

  /** Runs `read`; what LMDB throws at a page that is not what it should be becomes a {@link DamagedStoreError}. */
  guard<T>(read: () => T): T {
    try {
      return read()
    } catch (thrown) {
      throw isCorruption(thrown) ? this.#damaged(thrown) : thrown
    }
  }

  /** A state to read from across turns, to be given back with `done()`. */
  snapshot(): Snapshot {
    return this.#root.useReadTransaction()
  }

  /** Lets the following reads see what has been committed. */
  refresh(): void {
    this.#root.resetReadTxn()
  }

  /**
   * Runs `write` (synchronous puts and removes) as one transaction on LMDB's thread; resolves when it is on
   * disk. Rejects, with nothing written, with {@link NoSpaceError} or the system's error. `bytes` is about how
   * much is written. May run `write` twice.
   */
  async commit(bytes: number, write: () => void): Promise<void> {
    try {
      await this.#commitOnce(write)
    } catch (thrown) {
      // LMDB calls a write that was cut short an I/O error, which is how a full disk mostly shows itself. If
      // there is room (again), all that was not written is written anew, so trying once more is safe.
      if (errorCode(thrown) !== 5) throw thrown
      const full = findFull(this.file, bytes)
      if (full) throw new NoSpaceError(full)
      await this.#commitOnce(write)
    }
  }

  async #commitOnce(write: () => void): Promise<void> {
    try {
      await this.#root.batch(write)
    } catch (thrown) {
      throw diskError(await commitError(thrown))
    } finally {
      this.refresh()
    }
  }

  /** Writes a compact copy of the newest state, or a newer one, into `file`. */
  backup(file: string): Promise<void> {
    return this.#root.backup(file, true)
  }

  close(): Promise<void> {
    return this.#root.close()
  }

  #damaged(thrown: unknown): Error {
    const error = asError(thrown)
    const code = errorCode(error)
    // The system's own errors (no permission, no such directory) say better what is the matter.
    if (typeof code === "string" && /^E[A-Z]+$/.test(code)) return error
    if (typeof code === "number" && code > 0 && code !== 22) return diskError(error)
    return new DamagedStoreError(this.file, error)
  }
}

/** The data file of the store in `dir`. */
export function dataFile(dir: string): string {
  return join(dir, "data.mdb")
}

/** The newest revision in a data file that is not in use, such as a copy; leaves no trace beside it. */
export async function revisionOf(file: string): Promise<number> {
  const root = open<Buffer, Buffer>({ ...tableOptions, path: file, noSubdir: true, readOnly: true })
  try {
    const log = root.openDB<Buffer, Buffer>("log", tableOptions)
    for (const key of log.getKeys({ reverse: true, limit: 1 })) return readNumber(key)
    return 1
  } finally {
    await root.close()
    rmSync(`${file}-lock`, { force: true })
  }
}

/** Makes the names in a directory durable. */
export function syncDirectory(dir: string): void {
  const fd = openSync(dir, "r")
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** `bytes` as a Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The options of a read in `snapshot`, or in the newest state. */
export function inSnapshot(snapshot: Snapshot | undefined): { transaction?: Snapshot } {
  return snapshot ? { transaction: snapshot } : {}
}

/** LMDB's rejections carry the promise of the reason. */
async function commitError(thrown: unknown): Promise<Error> {
  if (!(thrown instanceof Error && "commitError" in thrown)) return asError(thrown)
  try {
    await thrown.commitError
  } catch (reason) {
    return asError(reason)
  }
  return thrown
}

/** The error of writing `bytes` behind the end of `file`, if they find no room; tried on a file beside it. */
function findFull(file: string, bytes: number): Error | undefined {
  const probe = `${file}.probe`
  try {
    const end = statSync(file).size
    const chunk = Buffer.alloc(64 * 2 ** 10)
    const fd = openSync(probe, "w", 0o600)
    try {
      for (let at = 0; at < bytes + chunk.length;) at += writeSync(fd, chunk, 0, chunk.length, end + at)
      fdatasyncSync(fd)
    } finally {
      closeSync(fd)
    }
    return undefined
  } catch (thrown) {
    return asError(thrown)
  } finally {
    rmSync(probe, { force: true })
  }
}

/** MDB_PAGE_NOTFOUND and MDB_CORRUPTED. */
function isCorruption(thrown: unknown): boolean {
  const code = errorCode(thrown)
  return code === -30797 || code === -30796
}

function errorCode(thrown: unknown): unknown {
  return thrown instanceof Error && "code" in thrown ? thrown.code : undefined
}

const outOfSpace = new Set<unknown>([
  28 /* ENOSPC */, 122 /* EDQUOT */, 27 /* EFBIG */, -30792 /* MDB_MAP_FULL */,
])

function diskError(error: Error): Error {
  return outOfSpace.has(errorCode(error)) ? new NoSpaceError(error) : error
}
