/** The embedded engine: one file, one process, no server. Its parts and its layout on disk: ../../README.md. */
import { stat } from "node:fs/promises"
import { mkdirSync, statSync } from "node:fs"
import { Backoff, type Env, Scope, messageOf } from "@knarr/base"
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
  StoreGoneError,
  type WatchOptions,
  type WriteOptions,
  type WriteResult,
} from "../store.ts"
import { WatchHub } from "../watch-hub.ts"
import { sweep } from "./compaction.ts"
import { dataFile } from "./data-file.ts"
import { Database, asBuffer, removeCopy } from "./database.ts"
import { CopyGivenUpError, Defragmentation, isDue } from "./defragmentation.ts"
import { lockDirectory } from "./directory-lock.ts"
import { OpenFile } from "./open-file.ts"
import { Reader } from "./reader.ts"
import { entriesCost } from "./batch-cost.ts"
import { numberBytes } from "./record.ts"
import { Writer, attachedKey, keyOfAttached } from "./writer.ts"

const lookForRoomMs = 5000

export interface EmbeddedStoreOptions {
  /** The store's own directory; made when it does not exist. */
  readonly dir: string
  readonly env: Env
  /** Whether there must be a store with something in it: it is not made anew; default false. */
  readonly mustExist?: boolean | undefined
  /** How many events a live watcher may fall behind; default 10,000. */
  readonly watchBuffer?: number
}

/** The store in a directory, which one process at a time can have open. */
export interface EmbeddedStore extends Store {
  readonly dir: string
  /**
   * Makes the data file as small as what is in it, which the store does by itself when much of the file is free. False
   * when that could not be done now (no room on the disk, too many writes): the store is then as it was.
   */
  defragment(): Promise<boolean>
  /** Writes a consistent copy of the data file at the present revision, or a newer one, into `file`. */
  backup(file: string): Promise<void>
}

/**
 * Opens the store in `dir`, or makes one at revision 1. Throws {@link StoreInUseError} while a process has it
 * open, {@link StoreGoneError}, {@link DamagedStoreError}, {@link NoSpaceError}, or the system's error.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const { dir, env } = options
  if (options.mustExist && isGone(dataFile(dir))) throw new StoreGoneError(dataFile(dir))
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lock = lockDirectory(dir)
  let database: Database | undefined
  try {
    removeCopy(dir)
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

/** LMDB would make an empty file a new store, too. */
function isGone(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0
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
  readonly #file: OpenFile
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
  #defragmentation: { readonly copy: Defragmentation; readonly ended: Promise<boolean> } | undefined
  #closing: Promise<void> | undefined

  constructor(options: EmbeddedStoreOptions, env: Env, database: Database, lock: Disposable) {
    this.dir = options.dir
    this.#env = env
    this.#scope = new Scope("store", { env })
    this.#file = new OpenFile(database)
    this.#lock = lock
    this.#compactRevision = database.number("compacted") ?? 0
    this.#reader = new Reader(this.#file, () => this.#compactRevision)
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
      file: this.#file,
      log: env.log,
      revision: database.lastRevision(),
      committed: (events) => this.#hub.publish(events),
      leaseExists: (id) => this.#leases.has(id),
      giveRoom: () => this.#giveRoom(),
      becameShort: () => this.#scope.run("look for room", (signal) => this.#lookForRoom(signal)),
    })
    this.#leases = new LeaseTable(env, (id) => this.#expire(id))
    for (const { value } of database.leases.getRange({}))
      this.#leases.restore(JSON.parse(asBuffer(value).toString()) as LeaseState)
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

  currentRevision(): number {
    return this.revision
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
    return this.#reader.range(options)
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
      const swept = this.#file.database.number("swept") ?? 0
      const note = (to: Database): void => to.setNumber("compacted", revision)
      await this.#writer.maintain(note, entriesCost({ touched: 1 }), true)
      this.#compactRevision = revision
      await this.#sweep(swept, revision)
    })()
    this.#compaction = compaction.catch(() => {})
    await compaction
    if (!this.#closing && isDue(this.#file.database.usage()))
      this.#scope.run("defragment", async () => void (await this.defragment()))
  }

  async defragment(): Promise<boolean> {
    this.#checkOpen()
    if (this.#writer.short) return false
    if (!this.#defragmentation) {
      const copy = new Defragmentation({ dir: this.dir, file: this.#file, writer: this.#writer })
      this.#defragmentation = { copy, ended: this.#defragment(copy) }
    }
    return this.#defragmentation.ended
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
    const { blocks } = await stat(dataFile(this.dir))
    return blocks * 512
  }

  backup(file: string): Promise<void> {
    this.#checkOpen()
    return this.#file.read((database) => database.backup(file))
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
      await this.#defragmentation?.copy.giveUp("the store is being closed")
      await this.#scope.close()
      await this.#compaction
    } finally {
      await this.#file.close()
      this.#lock[Symbol.dispose]()
    }
  }

  #checkOpen(): void {
    if (this.#closing) throw new Error("Cannot use the store: it is closed")
  }

  async #sweep(from: number, to: number): Promise<void> {
    await sweep({ file: this.#file, writer: this.#writer, from, to, signal: this.#scope.signal })
  }

  async #defragment(copy: Defragmentation): Promise<boolean> {
    const before = await this.size()
    try {
      await copy.run()
      this.#env.log.info("The file of the store was made smaller", { before, now: await this.size() })
      return true
    } catch (thrown) {
      if (thrown instanceof CopyGivenUpError) this.#env.log.info(messageOf(thrown))
      else this.#report("Cannot make the file of the store smaller", thrown)
      return false
    } finally {
      this.#defragmentation = undefined
    }
  }

  /** The room of a copy is the first that writes get. */
  async #giveRoom(): Promise<boolean> {
    if (!this.#defragmentation) return false
    await this.#defragmentation.copy.giveUp("the disk is full")
    return true
  }

  /** Looks now and then whether the disk is still short of room; ends when it is not. */
  async #lookForRoom(signal: AbortSignal): Promise<void> {
    while (this.#writer.short) {
      await this.#env.clock.sleep(lookForRoomMs, signal)
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
    const put = (to: Database): void => void to.leases.put(numberBytes(lease.id), bytes)
    await this.#writer.maintain(put, entriesCost({ touched: 2 }), false)
  }

  #expire(id: number): void {
    this.#leases.remove(id)
    this.#scope.run(`end of lease ${id}`, async (signal) => {
      const retry = new Backoff({ firstMs: 1000, maxMs: 60_000 })
      for (;;) {
        try {
          return await this.#endLease(id)
        } catch (thrown) {
          if (signal.aborted) return
          this.#report("Cannot end a lease, trying again", thrown)
          await retry.wait(this.#env.clock, signal)
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
      const keys = [...this.#file.database.attached.getKeys(range)].map(keyOfAttached)
      if (keys.length === 0) break
      await this.#writer.deleteAttached(keys, id)
      // A key that another write has detached by now has no deletion; this takes its entry away too.
      const detach = (to: Database): void => {
        for (const key of keys) void to.attached.remove(attachedKey(id, key))
      }
      await this.#writer.maintain(detach, entriesCost({ touched: keys.length }), true)
    }
    const remove = (to: Database): void => void to.leases.remove(numberBytes(id))
    await this.#writer.maintain(remove, entriesCost({ touched: 1 }), true)
  }

  #report(message: string, thrown: unknown): void {
    if (!this.#closing) this.#env.log.error(message, thrown, { dir: this.dir })
  }
}
