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
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { type Database as Table, type RootDatabase, open } from "lmdb"
import { asError } from "@knarr/base"
import { DamagedStoreError, NoSpaceError } from "../store.ts"
import { dataFile } from "./data-file.ts"
import { type Cost, type TreePages, boundOf, pageBytes } from "./batch-cost.ts"
import { checkDataFile } from "./file-check.ts"
import { type LogRecord, decodeRecord, numberBytes, readNumber } from "./record.ts"
import { Reserve, diskError } from "./reserve.ts"

export type Snapshot = ReturnType<RootDatabase["useReadTransaction"]>
export type ByteTable = Table<Buffer, Buffer>

/** The tables of data; what the sixth, `meta`, holds are numbers. */
export const dataTables = ["log", "keys", "deleted", "attached", "leases"] as const
/** The numbers in `meta`. */
export type MetaNumber = "format" | "compacted" | "swept"

const format = 1
/** A new store's tables take less. */
const newTablesBytes = 2 ** 20
/** After so many new entries the trees are looked at again. */
const lookAgain = 256
/** LMDB's table of readers: room for some hundred. */
const lockBytes = 32 * 2 ** 10
/** Address space, not memory: the file grows as it is written. */
const mapBytes = 256 * 2 ** 30
const tableOptions = { encoding: "binary", keyEncoding: "binary", cache: false } as const

export class Database {
  #file: string
  readonly log: ByteTable
  readonly keys: ByteTable
  readonly deleted: ByteTable
  readonly attached: ByteTable
  readonly leases: ByteTable
  readonly #meta: ByteTable
  readonly #root: RootDatabase<Buffer, Buffer>

  readonly #reserve: Reserve
  /** What the trees had when they were last looked at, and how many entries have been written since. */
  #trees: TreePages | undefined
  #written = 0
  /** Where the pages in use may end after the next commit. */
  #admitted = 0

  private constructor(file: string, root: RootDatabase<Buffer, Buffer>, reserve: Reserve) {
    this.#file = file
    this.#root = root
    this.#reserve = reserve
    const table = (name: string): ByteTable => root.openDB<Buffer, Buffer>(name, tableOptions)
    this.log = table("log")
    this.keys = table("keys")
    this.deleted = table("deleted")
    this.attached = table("attached")
    this.leases = table("leases")
    this.#meta = table("meta")
    const found = this.number("format")
    if (found === undefined) root.transactionSync(() => this.setNumber("format", format))
    else if (found !== format)
      throw new Error(`Cannot open the store "${file}": it has format ${found}, not ${format}`)
  }

  /** Opens or makes the file in `dir`. Throws {@link DamagedStoreError}, {@link NoSpaceError}. */
  static async open(dir: string): Promise<Database> {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const database = await Database.#open(dataFile(dir))
    syncDirectory(dir)
    syncDirectory(dirname(dir))
    return database
  }

  /** Makes an empty file for a copy of the store in `dir`, in place of what an earlier one left. Throws {@link NoSpaceError}. */
  static async openCopy(dir: string): Promise<Database> {
    removeCopy(dir)
    try {
      return await Database.#open(copyFile(dir))
    } catch (thrown) {
      removeCopy(dir)
      throw thrown
    }
  }

  static async #open(file: string): Promise<Database> {
    let root: RootDatabase<Buffer, Buffer> | undefined
    let reserve: Reserve | undefined
    try {
      root = openRoot(file)
      reserve = new Reserve(file)
      const { used, tables } = statsOf(root)
      if (tables === 0) await reserve.admit(newTablesBytes, { used, free: 0 }, true)
      return new Database(file, root, reserve)
    } catch (thrown) {
      reserve?.[Symbol.dispose]()
      await root?.close()
      throw diskError(asError(thrown))
    }
  }

  get file(): string {
    return this.#file
  }

  /** Gives a file made by {@link openCopy} the place of the store's; durable once the directory is synced. */
  takePlace(dir: string): void {
    const file = dataFile(dir)
    // The table of readers first: whose it is only matters to the next start, which makes it anew.
    renameSync(lockFile(this.#file), lockFile(file))
    renameSync(this.#file, file)
    this.#file = file
  }

  /** A number of the table `meta`. */
  number(name: MetaNumber): number | undefined {
    const bytes = this.#meta.getBinary(Buffer.from(name))
    return bytes && readNumber(bytes)
  }

  /** Only inside of {@link commit}. */
  setNumber(name: MetaNumber, value: number): void {
    void this.#meta.put(Buffer.from(name), numberBytes(value))
  }

  /** Only inside of {@link commit}, and behind the last key of the table: unlike a put this fills pages whole. */
  append(name: (typeof dataTables)[number], key: Buffer, value: Buffer): void {
    const table: { put(key: Buffer, value: Buffer, options: { append: true }): unknown } = this[name] as never
    void table.put(key, value, { append: true })
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
      throw damaged(this.#file, thrown)
    }
  }

  /** The record of a revision that the file itself refers to. */
  mustRecord(revision: number, snapshot?: Snapshot): LogRecord {
    const record = this.record(revision, snapshot)
    if (!record) throw damaged(this.#file, new Error(`Revision ${revision} is missing`))
    return record
  }

  /** Runs `read`; what LMDB throws at a page that is not what it should be becomes a {@link DamagedStoreError}. */
  guard<T>(read: () => T): T {
    try {
      return read()
    } catch (thrown) {
      throw isCorruption(thrown) ? damaged(this.#file, thrown) : thrown
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

  /** The most by which a commit of this cost can lengthen the pages in use, in bytes. */
  bound(cost: Cost): number {
    const seen = (this.#trees ??= this.#lookAtTrees())
    const written = this.#written
    return boundOf(cost, {
      ...seen,
      logLeaves: seen.logLeaves + written,
      logBranches: 2 * seen.logBranches + 2,
      leaves: seen.leaves + written,
      branches: 2 * seen.branches + 2,
    })
  }

  /** How many entries each table has, `meta` excepted. */
  entries(): readonly number[] {
    return dataTables.map((name) => (this[name].getStats() as unknown as TreeStats).entryCount)
  }

  /** Bytes of the pages up to the last one in use, and of those among them that are free. */
  usage(): { used: number; free: number } {
    const { used, freeList, root } = statsOf(this.#root)
    let inUse = 2 * pageBytes + (freeList + root) * pageBytes
    for (const table of this.#tables()) inUse += pagesOf(table).all * pageBytes
    return { used, free: Math.max(used - inUse, 0) }
  }

  /**
   * Makes sure that a commit of this cost finds its room; to be called before each, when none runs. Throws
   * {@link NoSpaceError}. Commits that `free` may use a reserve that is kept for them.
   */
  async makeRoom(cost: Cost, frees: boolean): Promise<void> {
    this.#written += Math.ceil(cost.records) + cost.touched
    if (this.#written > lookAgain) this.#trees = undefined
    // How much is free inside takes a look at every table, so it is only asked when it matters.
    const { used } = statsOf(this.#root)
    let bound = this.bound(cost)
    try {
      await this.#reserve.admit(bound, { used, free: 0 }, frees)
    } catch (thrown) {
      if (!(thrown instanceof NoSpaceError)) throw thrown
      this.#trees = undefined
      bound = this.bound(cost)
      await this.#reserve.admit(bound, this.usage(), frees)
    }
    this.#admitted = used + bound
  }

  /**
   * Runs `write` (synchronous puts and removes), for which {@link makeRoom} was called, as one transaction on
   * LMDB's thread; resolves when it is on disk. Rejects, with nothing written, with {@link NoSpaceError} or the
   * system's error.
   */
  async commit(write: () => void): Promise<void> {
    try {
      await this.#root.batch(write)
    } catch (thrown) {
      throw diskError(await commitError(thrown))
    } finally {
      this.refresh()
    }
  }

  /** Whether LMDB took more room than was made: never, unless {@link bound} is wrong. */
  get outgrown(): boolean {
    return statsOf(this.#root).used > this.#admitted
  }

  /** Writes a compact copy of the newest state, or a newer one, into `file`. */
  backup(file: string): Promise<void> {
    return this.#root.backup(file, true)
  }

  close(): Promise<void> {
    this.#reserve[Symbol.dispose]()
    return this.#root.close()
  }

  #tables(): readonly ByteTable[] {
    return [...dataTables.map((name) => this[name]), this.#meta]
  }

  #lookAtTrees(): TreePages {
    const [log, ...others] = this.#tables().map(pagesOf)
    let leaves = 0
    let branches = 0
    for (const table of others) {
      leaves += table.leaves
      branches += table.branches
    }
    this.#written = 0
    const { freeList } = statsOf(this.#root)
    return { logLeaves: log!.leaves, logBranches: log!.branches, leaves, branches, freeList }
  }
}

function openRoot(file: string): RootDatabase<Buffer, Buffer> {
  try {
    checkDataFile(file)
    fillLockFile(lockFile(file))
    return open<Buffer, Buffer>({
      ...tableOptions,
      path: file,
      noSubdir: true,
      pageSize: pageBytes,
      mapSize: mapBytes,
      maxDbs: 8,
      overlappingSync: false,
      eventTurnBatching: false,
    })
  } catch (thrown) {
    throw damaged(file, thrown)
  }
}

function damaged(file: string, thrown: unknown): Error {
  const error = asError(thrown)
  const code = errorCode(error)
  if (diskError(error) !== error) return diskError(error)
  // The system's own errors (no permission, no such directory) say better what is the matter.
  if (typeof code === "string" && /^E[A-Z]+$/.test(code)) return error
  if (typeof code === "number" && code > 0 && code !== 22) return error
  return new DamagedStoreError(file, error)
}

function copyFile(dir: string): string {
  return join(dir, "data.mdb.copy")
}

/** LMDB's table of readers of a data file. */
function lockFile(file: string): string {
  return `${file}-lock`
}

/** Removes the copy of the store in `dir` that was not finished, if there is one. */
export function removeCopy(dir: string): void {
  const file = copyFile(dir)
  rmSync(file, { force: true })
  rmSync(lockFile(file), { force: true })
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
    rmSync(lockFile(file), { force: true })
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

/** LMDB maps its table of readers; a page of it that finds no room would be a bus error. */
function fillLockFile(file: string): void {
  const fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600)
  try {
    const { size, blocks } = fstatSync(fd)
    if (size >= lockBytes && blocks * 512 >= size) return
    // Nobody has the store open, so what is in it says nothing.
    const zeros = Buffer.alloc(lockBytes)
    for (let at = 0; at < lockBytes;) at += writeSync(fd, zeros, at, lockBytes - at, at)
  } finally {
    closeSync(fd)
  }
}

interface Pages {
  readonly leaves: number
  readonly branches: number
  /** Those, and the pages of large values. */
  readonly all: number
}

/** What lmdb-js's types leave out of `getStats`. */
interface TreeStats {
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
  readonly entryCount: number
}

function pagesOf(table: { getStats(): unknown }): Pages {
  return pagesIn(table.getStats() as TreeStats)
}

function pagesIn(stats: TreeStats): Pages {
  const { treeLeafPageCount: leaves, treeBranchPageCount: branches, overflowPages } = stats
  return { leaves, branches, all: leaves + branches + overflowPages }
}

function statsOf(root: { getStats(): unknown }): {
  used: number
  tables: number
  freeList: number
  root: number
} {
  const stats = root.getStats() as { lastPageNumber: number; root: TreeStats; free: TreeStats }
  return {
    used: (stats.lastPageNumber + 1) * pageBytes,
    tables: stats.root.entryCount,
    freeList: pagesIn(stats.free).all,
    root: pagesIn(stats.root).all,
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
