/** Reading of an embedded store: the present, the past, and the log for watchers. */
import { setImmediate } from "node:timers/promises"
import { compareKeys } from "../keys.ts"
import {
  CompactedError,
  FutureRevisionError,
  type KeyValue,
  type RangeOptions,
  type RangeResult,
  type StoreEvent,
} from "../store.ts"
import type { OpenFile } from "./open-file.ts"
import { type ByteTable, type Database, type Snapshot, asBuffer, inSnapshot } from "./database.ts"
import { type LogRecord, numberBytes, readNumber } from "./record.ts"

/** How many keys or records are read in one turn of the event loop: about a millisecond's work. */
const slice = 256
/** And how much of the log at most, for logs of large values. */
const sliceBytes = 4 * 2 ** 20

/** The read part of a store. What takes several turns stays with the file that it began with. */
export class Reader {
  readonly #file: OpenFile
  readonly #compactRevision: () => number

  constructor(file: OpenFile, compactRevision: () => number) {
    this.#file = file
    this.#compactRevision = compactRevision
  }

  /** What a key is now, or was at a revision. */
  get(key: string, revision: number | undefined): KeyValue | undefined {
    const { database } = this.#file
    return database.guard(() => this.#get(database, key, revision))
  }

  #get(database: Database, key: string, revision: number | undefined): KeyValue | undefined {
    const bytes = Buffer.from(key)
    const { keys, deleted } = database
    const found = keys.getBinary(bytes)
    if (revision === undefined) return found && database.mustRecord(readNumber(found)).kv
    this.#checkRevision(revision, database.lastRevision())
    const last = found ?? deleted.getBinary(bytes)
    return last && stateAt(database, readNumber(last), revision, undefined)?.kv
  }

  range(options: RangeOptions): Promise<RangeResult> {
    return this.#file.read((database) => this.#range(database, options))
  }

  async #range(database: Database, options: RangeOptions): Promise<RangeResult> {
    const snapshot = database.snapshot()
    try {
      const newest = newestIn(database, snapshot)
      const revision = options.revision ?? newest
      this.#checkRevision(revision, newest)
      const start =
        options.from !== undefined && compareKeys(options.from, options.prefix) > 0
          ? options.from
          : options.prefix
      const bounds = { database, start: Buffer.from(start), end: after(options.prefix), snapshot }
      const limit = options.limit ?? Infinity
      const result =
        revision === newest
          ? await this.#rangeNow(bounds, limit)
          : await this.#rangeAt(bounds, limit, revision)
      return { ...result, revision: newest }
    } catch (thrown) {
      return database.guard(() => {
        throw thrown
      })
    } finally {
      snapshot.done()
    }
  }

  /** See {@link History.read}; never beyond revision `to`. */
  events(prefix: string, from: number, to: number): { events: StoreEvent[]; next: number } {
    return this.#file.database.guard(() => this.#events(prefix, from, to))
  }

  #events(prefix: string, from: number, to: number): { events: StoreEvent[]; next: number } {
    const events: StoreEvent[] = []
    const { database } = this.#file
    const range = database.log.getRange({
      start: numberBytes(from),
      end: numberBytes(to + 1),
      limit: slice,
    })
    let scanned = 0
    let bytes = 0
    let next = to + 1
    for (const { key, value } of range) {
      const revision = readNumber(key)
      const record = database.decode(revision, value)
      if (record.key.startsWith(prefix)) {
        const previous = record.before === 0 ? undefined : database.record(record.before)?.kv
        events.push({ type: record.type, revision, key: record.key, kv: record.kv, previous })
      }
      bytes += value.length
      if (++scanned < slice && bytes < sliceBytes) continue
      next = revision + 1
      break
    }
    return { events, next }
  }

  /** Lets other work of the event loop go first. */
  pause(): Promise<void> {
    return setImmediate()
  }

  #checkRevision(revision: number, newest: number): void {
    if (revision > newest) throw new FutureRevisionError(revision, newest)
    if (revision < this.#compactRevision()) throw new CompactedError(revision, this.#compactRevision())
  }

  async #rangeNow(bounds: Bounds, limit: number): Promise<{ kvs: KeyValue[]; count: number }> {
    const { database, snapshot } = bounds
    const { keys } = database
    const kvs: KeyValue[] = []
    let start = bounds.start
    for (let left = limit; ; await this.pause()) {
      const wanted = Math.min(slice, left)
      const found = wanted === 0 ? [] : readSlice(keys, { ...bounds, start }, wanted)
      for (const { last } of found) kvs.push(database.mustRecord(last, snapshot).kv!)
      left -= found.length
      if (found.length > 0) start = following(found.at(-1)!.bytes)
      if (found.length < slice) break
    }
    // LMDB counts a million keys in some milliseconds, so the rest is counted at once.
    const rest =
      kvs.length < limit ? 0 : keys.getKeysCount({ start, ...endOf(bounds), ...inSnapshot(snapshot) })
    return { kvs, count: kvs.length + rest }
  }

  async #rangeAt(
    bounds: Bounds,
    limit: number,
    revision: number,
  ): Promise<{ kvs: KeyValue[]; count: number }> {
    const { database, snapshot } = bounds
    const live = new Cursor(database.keys, bounds)
    const gone = new Cursor(database.deleted, bounds)
    const kvs: KeyValue[] = []
    let count = 0
    for (let steps = 1; ; steps++) {
      const a = live.peek()
      const b = gone.peek()
      const first = a && (!b || a.bytes.compare(b.bytes) < 0) ? live : gone
      const entry = first.take()
      if (!entry) break
      const kv = stateAt(database, entry.last, revision, snapshot)?.kv
      if (kv && count++ < limit) kvs.push(kv)
      if (steps % slice === 0) await this.pause()
    }
    return { kvs, count }
  }
}

function newestIn(database: Database, snapshot: Snapshot): number {
  const last = database.log.getKeys({ reverse: true, limit: 1, ...inSnapshot(snapshot) })
  for (const key of last) return readNumber(key)
  return 1
}

/** Goes back through a key's events, from the one at `last`, to the newest that is not after `revision`. */
function stateAt(
  database: Database,
  last: number,
  revision: number,
  snapshot: Snapshot | undefined,
): LogRecord | undefined {
  let record = database.record(last, snapshot)
  while (record && record.revision > revision) {
    record = record.before === 0 ? undefined : database.record(record.before, snapshot)
  }
  return record
}

interface Bounds {
  readonly database: Database
  readonly start: Buffer
  readonly end: Buffer | undefined
  readonly snapshot: Snapshot
}

interface Entry {
  readonly bytes: Buffer
  /** The revision of the key's newest event. */
  readonly last: number
}

/** Walks a table in slices, without holding an LMDB cursor across turns. */
class Cursor {
  readonly #table: ByteTable
  readonly #bounds: Bounds
  #start: Buffer
  #entries: Entry[] = []
  #at = 0
  #ended = false

  constructor(table: ByteTable, bounds: Bounds) {
    this.#table = table
    this.#bounds = bounds
    this.#start = bounds.start
  }

  peek(): Entry | undefined {
    if (this.#at === this.#entries.length && !this.#ended) {
      this.#entries = readSlice(this.#table, { ...this.#bounds, start: this.#start }, slice)
      this.#at = 0
      this.#ended = this.#entries.length < slice
      if (!this.#ended) this.#start = following(this.#entries.at(-1)!.bytes)
    }
    return this.#entries[this.#at]
  }

  take(): Entry | undefined {
    const entry = this.peek()
    if (entry) this.#at++
    return entry
  }
}

function readSlice(table: ByteTable, bounds: Bounds, limit: number): Entry[] {
  const range = table.getRange({
    start: bounds.start,
    ...endOf(bounds),
    limit,
    ...inSnapshot(bounds.snapshot),
  })
  const entries: Entry[] = []
  for (const { key, value } of range) entries.push({ bytes: asBuffer(key), last: readNumber(value) })
  return entries
}

function endOf(bounds: Bounds): { end?: Buffer } {
  return bounds.end ? { end: bounds.end } : {}
}

/** The first key after `bytes`. */
function following(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.of(0)])
}

/** The first key after all that begin with `prefix`; undefined when there is none. */
function after(prefix: string): Buffer | undefined {
  if (prefix === "") return undefined
  const end = Buffer.from(prefix)
  // No byte of UTF-8 is 0xff.
  end[end.length - 1]!++
  return end
}
