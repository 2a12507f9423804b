/** The embedded engine: one file, one process, no server. Its parts and its layout on disk: ../../README.md. */
import { stat } from "node:fs/promises"
import { mkdirSync } from "node:fs"
import { type Env, Scope } from "@knarr/base"
import { type LeaseState, LeaseTable } from "../lease-table.ts"
import {
  type Expected,
  FutureRevisionError,
  type KeyValue,
  NoSpaceError,
  type RangeOptions,
  type RangeResult,
  type Store,
  type StoreEvent,
  type WatchOptions,
  type WriteOptions,
  type WriteResult,
} from "../store.ts"
import { WatchHub } from "../watch-hub.ts"
import { sweep } from "./compaction.ts"
import { Database, asBuffer } from "./database.ts"
import { lockDirectory } from "./directory-lock.ts"
import { Reader } from "./reader.ts"
import { entriesCost } from "./batch-cost.ts"
import { numberBytes } from "./record.ts"
import { Writer, attachedKey, keyOfAttached } from "./writer.ts"

const lookForRoomMs = 5000

export interface EmbeddedStoreOptions {
  /** The store's own directory; made when it does not exist. */
  readonly dir: string
  readonly env: Env
  /** How many events a live watcher may fall behind; default 10,000. */
  readonly watchBuffer?: number
}

/** The store in a directory, which one process at a time can have open. */
export interface EmbeddedStore extends Store {
  readonly dir: string
  /** Writes a consistent copy of the data file at the present revision, or a newer one, into `file`. */
  backup(file: string): Promise<void>
}

/**
 * Opens the store in `dir`, or makes one at revision 1. Throws {@link StoreInUseError} while a process has it
 * open, {@link DamagedStoreError}, {@link NoSpaceError}, or the system's error.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const { dir, env } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lock = lockDirectory(dir)
  let database: Database | undefined
  try {
    const opened = await Database.open(dir)
    database = opened
    return opened.guard(() => {
      checkTail(opened)
      return new OpenStore(options, env, opened, lock)
    })
  } catch (thrown) {
    await database?.close()
    lock[Symbol.dispose]()
    throw thrown
  }
}

/** What was written last is what a broken disk or a copy of a running store most likely lost. */
function checkTail(database: Database): void {
  const last = database.lastRevision()
  const compacted = database.number("compacted") ?? 0
  for (let revision = Math.max(last - 100, compacted, 2); revision <= last; revision++) {
    const { before } = database.mustRecord(revision)
    if (before >= Math.max(compacted, 2)) database.mustRecord(before)
  }
}

class OpenStore implements EmbeddedStore {
  readonly dir: string
  readonly #database: Database
  readonly #lock: Disposable
  readonly #env: Env
  readonly #scope: Scope
  readonly #reader: Reader
  readonly #writer: Writer
  readonly #hub: WatchHub
  readonly #leases: LeaseTable
  #compactRevision: number
  /** The last compaction; the next one waits for it. */
  #compaction: Promise<void> = Promise.resolve()
  /** What reads across turns. */
  readonly #reads = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(options: EmbeddedStoreOptions, env: Env, database: Database, lock: Disposable) {
    this.dir = options.dir
    this.#env = env
    this.#scope = new Scope("store", { env })
    this.#database = database
    this.#lock = lock
    this.#compactRevision = database.number("compacted") ?? 0
    this.#reader = new Reader(database, () => this.#compactRevision)
    this.#hub = new WatchHub(
      {
        revision: () => this.revision,
        compactRevision: () => this.#compactRevision,
        read: (prefix, from) => this.#reader.events(prefix, from, this.revision),
        pause: () => this.#reader.pause(),
      },
      options.watchBuffer ?? 10_000,
    )
    this.#writer = new Writer({
      database,
      log: env.log,
      revision: database.lastRevision(),
      committed: (events) => this.#hub.publish(events),
      leaseExists: (id) => this.#leases.has(id),
    })
    this.#leases = new LeaseTable(env, (id) => this.#expire(id))
    for (const { value } of database.leases.getRange({}))
      this.#leases.restore(JSON.parse(asBuffer(value).toString()) as LeaseState)
    this.#scope.run("look for room", (signal) => this.#lookForRoom(signal))
    const swept = database.number("swept") ?? 0
    if (swept < this.#compactRevision) {
      const unfinished = this.#sweep(swept, this.#compactRevision)
      this.#compaction = unfinished.catch((thrown: unknown) =>
        this.#report("Cannot finish a compaction", thrown),
      )
    }
  }

  get revision(): number {
    return this.#writer.revision
  }

  get compactRevision(): number {
    return this.#compactRevision
  }

  async get(key: string, options?: { revision?: number }): Promise<KeyValue | undefined> {
    this.#checkOpen()
    return this.#reader.get(key, options?.revision)
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    this.#checkOpen()
    return this.#track(this.#reader.range(options))
  }

  async put(key: string, value: Uint8Array, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#writer.put(key, value, options.expected, options.lease ?? 0)
  }

  async delete(key: string, options: { expected?: Expected } = {}): Promise<WriteResult> {
    return this.#writer.delete(key, options.expected)
  }

  watch(options: WatchOptions): AsyncIterable<readonly StoreEvent[]> {
    return this.#hub.watch(options)
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen()
    if (revision > this.revision) throw new FutureRevisionError(revision, this.revision)
    const before = this.#compaction
    const compaction = (async () => {
      await before
      if (revision <= this.#compactRevision) return
      const swept = this.#database.number("swept") ?? 0
      const note = (): void => this.#database.setNumber("compacted", revision)
      await this.#writer.maintain(note, entriesCost({ touched: 1 }), true)
      this.#compactRevision = revision
      await this.#sweep(swept, revision)
    })()
    this.#compaction = compaction.catch(() => {})
    await compaction
  }

  async grantLease(ttlSeconds: number): Promise<number> {
    this.#checkOpen()
    const lease = this.#leases.grant(ttlSeconds)
    try {
      await this.#saveLease(lease)
    } catch (thrown) {
      this.#leases.remove(lease.id)
      throw thrown
    }
    return lease.id
  }

  async renewLease(id: number): Promise<boolean> {
    this.#checkOpen()
    const lease = this.#leases.renew(id)
    if (!lease) return false
    await this.#saveLease(lease)
    return true
  }

  async revokeLease(id: number): Promise<void> {
    this.#checkOpen()
    if (this.#leases.remove(id)) await this.#endLease(id)
  }

  async size(): Promise<number> {
    const { blocks } = await stat(this.#database.file)
    return blocks * 512
  }

  backup(file: string): Promise<void> {
    this.#checkOpen()
    return this.#track(this.#database.backup(file))
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#hub.close()
    this.#leases[Symbol.dispose]()
    try {
      await this.#writer.close()
      await this.#scope.close()
      await this.#compaction
      await Promise.allSettled(this.#reads)
    } finally {
      await this.#database.close()
      this.#lock[Symbol.dispose]()
    }
  }

  /** The file stays open until `read` has ended. */
  async #track<T>(read: Promise<T>): Promise<T> {
    this.#reads.add(read)
    try {
      return await read
    } finally {
      this.#reads.delete(read)
    }
  }

  #checkOpen(): void {
    if (this.#closing) throw new Error("Cannot use the store: it is closed")
  }

  async #sweep(from: number, to: number): Promise<void> {
    await sweep({ database: this.#database, writer: this.#writer, from, to, signal: this.#scope.signal })
  }

  /** While the disk is short of room, looks now and then whether it still is. */
  async #lookForRoom(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#env.clock.sleep(lookForRoomMs, signal)
      if (!this.#writer.short) continue
      try {
        await this.#writer.recheck()
      } catch (thrown) {
        // A writer that is closed says so to whoever writes.
        if (!(thrown instanceof NoSpaceError)) return
      }
    }
  }

  async #saveLease(lease: LeaseState): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(lease))
    const put = (): void => void this.#database.leases.put(numberBytes(lease.id), bytes)
    await this.#writer.maintain(put, entriesCost({ touched: 2 }), false)
  }

  #expire(id: number): void {
    this.#leases.remove(id)
    this.#scope.run(`end of lease ${id}`, async (signal) => {
      for (let waitMs = 1000; ; waitMs = Math.min(waitMs * 2, 60_000)) {
        try {
          return await this.#endLease(id)
        } catch (thrown) {
          if (signal.aborted) return
          this.#report("Cannot end a lease, trying again", thrown)
          await this.#env.clock.sleep(waitMs, signal)
        }
      }
    })
  }

  /** Deletes the keys of a lease that is no longer in the table, and then its record. */
  async #endLease(id: number): Promise<void> {
    // Nothing more can be attached; what is on its way is in the file after this.
    await this.#writer.settled()
    for (;;) {
      const limit = this.#writer.short ? 16 : 128
      const range = { start: attachedKey(id, ""), end: attachedKey(id + 1, ""), limit }
      const keys = [...this.#database.attached.getKeys(range)].map(keyOfAttached)
      if (keys.length === 0) break
      await this.#writer.deleteAttached(keys, id)
      // A key that another write has detached by now has no deletion; this takes its entry away too.
      const detach = (): void => {
        for (const key of keys) void this.#database.attached.remove(attachedKey(id, key))
      }
      await this.#writer.maintain(detach, entriesCost({ touched: keys.length }), true)
    }
    const remove = (): void => void this.#database.leases.remove(numberBytes(id))
    await this.#writer.maintain(remove, entriesCost({ touched: 1 }), true)
  }

  #report(message: string, thrown: unknown): void {
    if (!this.#closing) this.#env.log.error(message, thrown, { dir: this.dir })
  }
}
