/**
 * The one writer of an embedded store. A write is decided at once, in the order of the calls, against what is
 * on disk and what is already on its way there; it then waits, with all the others that came while the last
 * commit ran, for one transaction and one fdatasync.
 */
import { type Deferred, type Logger, asError, deferred } from "@knarr/base"
import { checkKey } from "../keys.ts"
import { type Expected, type KeyValue, NoSpaceError, type StoreEvent, type WriteResult } from "../store.ts"
import { type Cost, addCost, noCost, recordCost, roomCost } from "./batch-cost.ts"
import { type Database, asBuffer } from "./database.ts"
import type { OpenFile } from "./open-file.ts"
import { encodeRecord, numberBytes, readNumber } from "./record.ts"

/** A change of entries, the same whatever file it is made in and however often. */
export type Write = (to: Database) => void

/** What a commit has written. */
export interface Committed {
  readonly writes: readonly Write[]
  readonly cost: Cost
  readonly bytes: number
}

/** What becomes one transaction. */
interface Batch extends Committed {
  readonly writes: Write[]
  readonly events: StoreEvent[]
  readonly cost: Cost
  bytes: number
  /** Whether it only deletes, and so may use the last of the room on the disk. */
  frees: boolean
  /** Instead of a transaction: what runs between two of them. */
  readonly task: (() => Promise<void>) | undefined
  readonly done: Deferred<void>
}

/** The newest state of a key: the event that made it, and the batch that brings it to disk when it is not there. */
interface Current {
  readonly kv: KeyValue | undefined
  /** The revision of the key's last event in the log, 0 for none. */
  readonly last: number
  readonly batch: Batch | undefined
}

/** A transaction takes at most so much, to keep its memory and its time small; the rest is the next one's. */
const maxBatchWrites = 2000
const maxBatchBytes = 8 * 2 ** 20
/** Nor may it need more room than this, unless it is a single write. */
const maxBatchRoom = 24 * 2 ** 20
/** The same since the disk was full: what is left is then shared out sparingly. */
const maxBatchRoomWhenShort = 3 * 2 ** 20

export interface WriterOptions {
  readonly file: OpenFile
  readonly log: Logger
  readonly revision: number
  /** Called after each commit with its events in order, before the writers' promises resolve. */
  readonly committed: (events: readonly StoreEvent[]) => void
  /** Whether a lease may be written. */
  readonly leaseExists: (id: number) => boolean
  /** Frees what may be freed of the disk; false when there is nothing. */
  readonly giveRoom: () => Promise<boolean>
  /** Called when the disk is found full; {@link Writer.short} is true from then on. */
  readonly becameShort: () => void
}

export class Writer {
  readonly #file: OpenFile
  readonly #log: Logger
  readonly #committed: WriterOptions["committed"]
  readonly #leaseExists: WriterOptions["leaseExists"]
  readonly #giveRoom: WriterOptions["giveRoom"]
  readonly #becameShort: WriterOptions["becameShort"]
  #follower: ((committed: Committed) => void) | undefined
  /** The newest revision on disk. */
  #durable: number
  /** The newest revision that has been given out. */
  #assigned: number
  /** The newest event of each key that has one on its way to disk. */
  readonly #pending = new Map<string, { readonly event: StoreEvent; readonly batch: Batch }>()
  /** The first of these is being committed while `#running`. */
  #batches: Batch[] = []
  #running: Promise<void> | undefined
  #closed: Error | undefined
  /** The disk took no more, so only what frees is taken. */
  #full = false
  /** The room that a batch may need. */
  #room = maxBatchRoom
  #recheck: Promise<void> | undefined

  constructor(options: WriterOptions) {
    this.#file = options.file
    this.#log = options.log
    this.#committed = options.committed
    this.#leaseExists = options.leaseExists
    this.#giveRoom = options.giveRoom
    this.#becameShort = options.becameShort
    this.#durable = this.#assigned = options.revision
  }

  /** The newest revision on disk. */
  get revision(): number {
    return this.#durable
  }

  /** Whether the disk is full, or was and has not much room yet. */
  get short(): boolean {
    return this.#room !== maxBatchRoom
  }

  /** Looks whether a full disk has room again. Throws the {@link NoSpaceError} when it has none. */
  async recheck(): Promise<void> {
    this.#recheck ??= this.alone(() => this.#reopen()).finally(() => (this.#recheck = undefined))
    await this.#recheck
  }

  async #reopen(): Promise<void> {
    try {
      await this.#makeRoom(roomCost(maxBatchRoom), false)
      this.#room = maxBatchRoom
    } catch (thrown) {
      if (!(thrown instanceof NoSpaceError)) throw thrown
      await this.#makeRoom(roomCost(maxBatchRoomWhenShort), false)
    }
    if (!this.#full) return
    this.#full = false
    this.#log.info("The disk of the store has room again: writes are accepted")
  }

  async put(key: string, value: Uint8Array, expected: Expected, lease: number): Promise<WriteResult> {
    this.#checkOpen()
    if (this.#full) await this.recheck()
    checkKey(key)
    if (lease !== 0 && !this.#leaseExists(lease))
      throw new Error(`Cannot write "${key}": there is no lease ${lease}`)
    const current = this.#current(key)
    if (!holds(expected, current.kv)) return this.#refuse(current)
    return this.#append(current, "put", key, value, lease)
  }

  async delete(key: string, expected: Expected): Promise<WriteResult> {
    this.#checkOpen()
    const current = this.#current(key)
    if (!holds(expected, current.kv)) return this.#refuse(current)
    if (!current.kv) {
      await current.batch?.done.promise
      return { ok: true, revision: this.#durable, previous: undefined }
    }
    return this.#append(current, "delete", key, undefined, 0)
  }

  /** Deletes `keys` as far as they are attached to `lease`. */
  async deleteAttached(keys: readonly string[], lease: number): Promise<void> {
    this.#checkOpen()
    const writes = keys.flatMap((key) => {
      const current = this.#current(key)
      return current.kv?.lease === lease ? this.#append(current, "delete", key, undefined, 0) : []
    })
    await Promise.all(writes)
  }

  /**
   * Brings other writes, which `write` makes, to disk in order with those of keys. `frees`: they remove, so a full
   * disk is no reason to refuse them.
   */
  async maintain(write: Write, cost: Cost, frees: boolean): Promise<void> {
    this.#checkOpen()
    if (this.#full && !frees) await this.recheck()
    const batch = this.#batch(cost, frees)
    batch.writes.push(write)
    return batch.done.promise
  }

  /** Runs `task` between two transactions, after those on their way. */
  alone(task: () => Promise<void>): Promise<void> {
    this.#checkOpen()
    return this.#push(noCost(), true, task).done.promise
  }

  /** From now on `follower` gets what is committed, in order, before the next commit begins; undefined: nobody does. */
  follow(follower: ((committed: Committed) => void) | undefined): void {
    this.#follower = follower
  }

  /** Runs `step`, on which all further writes build: when it throws nothing more is written. */
  use(step: () => void): void {
    try {
      step()
    } catch (thrown) {
      this.#refuseAll(thrown)
      throw thrown
    }
  }

  /** Whether the newest event of a key is still on its way to disk. */
  busy(key: string): boolean {
    return this.#pending.has(key)
  }

  /** Resolves, whatever the outcome, when everything that is on its way to disk now has been dealt with. */
  async settled(): Promise<void> {
    const last = this.#batches.at(-1)
    await last?.done.promise.catch(() => {})
  }

  /** Brings to disk what is on its way and refuses more. */
  async close(): Promise<void> {
    this.#closed ??= new Error("Cannot use the store: it is closed")
    await this.#running
  }

  #checkOpen(): void {
    if (this.#closed) throw this.#closed
  }

  #current(key: string): Current {
    return this.#file.database.guard(() => this.#find(key))
  }

  #find(key: string): Current {
    const pending = this.#pending.get(key)
    if (pending) {
      const { event, batch } = pending
      return { kv: event.kv, last: event.revision, batch }
    }
    const { database } = this.#file
    const bytes = Buffer.from(key)
    const found = database.keys.getBinary(bytes)
    if (found) {
      const last = readNumber(found)
      return { kv: database.mustRecord(last).kv, last, batch: undefined }
    }
    const gone = database.deleted.getBinary(bytes)
    return { kv: undefined, last: gone ? readNumber(gone) : 0, batch: undefined }
  }

  /** The answer tells what is there, so it waits until that is on disk. */
  async #refuse(current: Current): Promise<WriteResult> {
    await current.batch?.done.promise
    return { ok: false, revision: this.#durable, current: current.kv }
  }

  async #append(
    current: Current,
    type: "put" | "delete",
    key: string,
    value: Uint8Array | undefined,
    lease: number,
  ): Promise<WriteResult> {
    const previous = current.kv
    const revision = this.#assigned + 1
    const { bytes, event } = encodeRecord({
      type,
      revision,
      key,
      value,
      lease,
      previous,
      before: current.last,
    })
    this.#assigned = revision
    const cost = recordCost(bytes.length, Buffer.byteLength(key))
    const batch = this.#batch(cost, type === "delete")
    batch.bytes += bytes.length
    batch.events.push(event)
    batch.writes.push((to) => writeEvent(to, event, bytes, current.last))
    this.#pending.set(key, { event, batch })
    await batch.done.promise
    return { ok: true, revision, previous }
  }

  /** The batch that the next write joins. */
  #batch(cost: Cost, frees: boolean): Batch {
    const last = this.#batches.at(-1)
    if (last && this.#joins(last, cost)) {
      addCost(last.cost, cost)
      last.frees &&= frees
      return last
    }
    return this.#push({ ...cost }, frees, undefined)
  }

  #joins(last: Batch, cost: Cost): boolean {
    if (last.task || (this.#committing && this.#batches.length === 1)) return false
    if (last.writes.length >= maxBatchWrites || last.bytes >= maxBatchBytes) return false
    const sum = { ...last.cost }
    addCost(sum, cost)
    return this.#file.database.bound(sum) <= this.#room
  }

  #push(cost: Cost, frees: boolean, task: Batch["task"]): Batch {
    const batch: Batch = { writes: [], events: [], bytes: 0, cost, frees, task, done: deferred() }
    // Whoever waits for it handles its failure; nobody may be waiting for a lease's or a compaction's batch.
    batch.done.promise.catch(() => {})
    this.#batches.push(batch)
    this.#running ??= this.#run()
    return batch
  }

  /** Whether the first batch has been handed to LMDB and is closed to further writes. */
  #committing = false

  async #run(): Promise<void> {
    // The writers of this turn go together.
    await Promise.resolve()
    for (let batch = this.#batches[0]; batch; batch = this.#batches[0]) {
      this.#committing = true
      try {
        if (batch.task) {
          await this.#perform(batch, batch.task)
          continue
        }
        await this.#makeRoom(batch.cost, batch.frees)
        const { database } = this.#file
        await database.commit(() => {
          for (const write of batch.writes) write(database)
        })
        this.#follower?.(batch)
        if (database.outgrown) this.#log.warn("A commit took more room than was made for it")
      } catch (thrown) {
        this.#fail(asError(thrown))
        continue
      } finally {
        this.#committing = false
      }
      this.#batches.shift()
      for (const event of batch.events) {
        if (this.#pending.get(event.key)?.event === event) this.#pending.delete(event.key)
      }
      this.#durable = batch.events.at(-1)?.revision ?? this.#durable
      if (batch.events.length > 0) this.#committed(batch.events)
      batch.done.resolve()
    }
    this.#running = undefined
  }

  async #makeRoom(cost: Cost, frees: boolean): Promise<void> {
    const { database } = this.#file
    try {
      await database.makeRoom(cost, frees)
    } catch (thrown) {
      if (!(thrown instanceof NoSpaceError) || !(await this.#giveRoom())) throw thrown
      await database.makeRoom(cost, frees)
    }
  }

  /** What waits behind a task does not depend on how it ends. */
  async #perform(batch: Batch, task: () => Promise<void>): Promise<void> {
    try {
      await task()
      batch.done.resolve()
    } catch (thrown) {
      batch.done.reject(thrown)
    }
    this.#batches.shift()
  }

  /** What waited behind the failed batch was decided in the belief that it would succeed, so it fails too. */
  #fail(error: Error): void {
    // After any other failure of the disk it is not known what the next fdatasync would vouch for.
    if (!(error instanceof NoSpaceError)) this.#refuseAll(error)
    else {
      this.#full = true
      if (!this.short) {
        this.#room = maxBatchRoomWhenShort
        this.#becameShort()
      }
      this.#log.warn("The disk of the store is full: only deletions are accepted", { err: error.message })
    }
    const failed = this.#batches
    this.#batches = []
    this.#pending.clear()
    this.#assigned = this.#durable
    for (const batch of failed) batch.done.reject(error)
  }

  #refuseAll(cause: unknown): void {
    this.#closed ??= new Error("Cannot write to the store: an earlier write failed", { cause })
  }
}

const nothing = Buffer.alloc(0)

function writeEvent(to: Database, event: StoreEvent, bytes: Buffer, last: number): void {
  const { log, keys, deleted, attached } = to
  const key = Buffer.from(event.key)
  const revision = numberBytes(event.revision)
  void log.put(revision, bytes)
  if (event.type === "put") {
    void keys.put(key, revision)
    if (!event.previous && last !== 0) void deleted.remove(key)
  } else {
    void keys.remove(key)
    void deleted.put(key, revision)
  }
  const before = event.previous?.lease ?? 0
  const lease = event.kv?.lease ?? 0
  if (before !== 0 && before !== lease) void attached.remove(attachedKey(before, event.key))
  if (lease !== 0 && before !== lease) void attached.put(attachedKey(lease, event.key), nothing)
}

/** The key in the table `attached`. */
export function attachedKey(lease: number, key: string): Buffer {
  return Buffer.concat([numberBytes(lease), Buffer.from(key)])
}

/** The key of the store in a key of the table `attached`. */
export function keyOfAttached(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("utf8", 8)
}

function holds(expected: Expected, current: KeyValue | undefined): boolean {
  return expected === undefined || expected === (current?.modRevision ?? 0)
}
