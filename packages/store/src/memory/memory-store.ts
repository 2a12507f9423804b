/**
 * The store in memory, for tests and virtual time: whatever it does happens in the caller's turn or in
 * microtasks after it, and only the given clock ends leases, so a run can be repeated exactly.
 */
import type { Env } from "@knarr/base"
import { checkKey, compareKeys } from "../keys.ts"
import { LeaseTable } from "../lease-table.ts"
import {
  CompactedError,
  type Expected,
  FutureRevisionError,
  type KeyValue,
  type RangeOptions,
  type RangeResult,
  type Store,
  type StoreEvent,
  type WatchOptions,
  type WriteOptions,
  type WriteResult,
} from "../store.ts"
import { WatchHub } from "../watch-hub.ts"
import { SortedMap } from "./sorted-map.ts"

export interface MemoryStoreOptions {
  readonly env: Env
  /** How many events a live watcher may fall behind; default 10,000. */
  readonly watchBuffer?: number
}

/** An empty store at revision 1. */
export function createMemoryStore(options: MemoryStoreOptions): Store {
  return new MemoryStore(options)
}

const historySlice = 1000

class MemoryStore implements Store {
  #revision = 1
  #compactRevision = 0
  /** What happened to each key, oldest first; a key leaves when its last event is a compacted deletion. */
  readonly #keys = new SortedMap<StoreEvent[]>()
  /** Every event from `#logStart` on. */
  #log: StoreEvent[] = []
  #logStart = 2
  readonly #hub: WatchHub
  readonly #leases: LeaseTable
  readonly #leaseKeys = new Map<number, Set<string>>()
  #closed = false

  constructor(options: MemoryStoreOptions) {
    this.#hub = new WatchHub(
      {
        revision: () => this.#revision,
        compactRevision: () => this.#compactRevision,
        read: (prefix, from) => this.#readLog(prefix, from),
        pause: () => Promise.resolve(),
      },
      options.watchBuffer ?? 10_000,
    )
    this.#leases = new LeaseTable(options.env, (id) => this.#endLease(id))
  }

  get revision(): number {
    return this.#revision
  }

  currentRevision(): number {
    return this.revision
  }

  get compactRevision(): number {
    return this.#compactRevision
  }

  async get(key: string, options?: { revision?: number }): Promise<KeyValue | undefined> {
    this.#checkOpen()
    const revision = this.#readRevision(options?.revision)
    return stateAt(this.#keys.get(key), revision)
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    this.#checkOpen()
    const { prefix, limit = Infinity } = options
    const revision = this.#readRevision(options.revision)
    const from = options.from !== undefined && compareKeys(options.from, prefix) > 0 ? options.from : prefix
    const kvs: KeyValue[] = []
    let count = 0
    for (const [key, events] of this.#keys.entries(from)) {
      if (!key.startsWith(prefix)) break
      const kv = stateAt(events, revision)
      if (!kv) continue
      if (count++ < limit) kvs.push(kv)
    }
    return { kvs, count, revision: this.#revision }
  }

  async put(key: string, value: Uint8Array, options: WriteOptions = {}): Promise<WriteResult> {
    this.#checkOpen()
    checkKey(key)
    const lease = options.lease ?? 0
    if (lease !== 0 && !this.#leases.has(lease))
      throw new Error(`Cannot write "${key}": there is no lease ${lease}`)
    const current = this.#current(key)
    if (!holds(options.expected, current)) return { ok: false, revision: this.#revision, current }
    const revision = this.#revision + 1
    const kv: KeyValue = {
      key,
      value: Buffer.from(value),
      createRevision: current?.createRevision ?? revision,
      modRevision: revision,
      version: (current?.version ?? 0) + 1,
      lease,
    }
    this.#append({ type: "put", revision, key, kv, previous: current })
    return { ok: true, revision, previous: current }
  }

  async delete(key: string, options: { expected?: Expected } = {}): Promise<WriteResult> {
    this.#checkOpen()
    const current = this.#current(key)
    if (!holds(options.expected, current)) return { ok: false, revision: this.#revision, current }
    if (!current) return { ok: true, revision: this.#revision, previous: undefined }
    const revision = this.#revision + 1
    this.#append({ type: "delete", revision, key, kv: undefined, previous: current })
    return { ok: true, revision, previous: current }
  }

  watch(options: WatchOptions): AsyncIterable<readonly StoreEvent[]> {
    return this.#hub.watch(options)
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen()
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision)
    if (revision <= this.#compactRevision) return
    this.#compactRevision = revision
    const gone = this.#log.splice(0, Math.max(revision - this.#logStart, 0))
    this.#logStart = Math.max(revision, this.#logStart)
    // The state just before `revision` stays, for the sake of `previous` in the event at it.
    for (const { key } of gone) {
      const events = this.#keys.get(key)
      if (!events) continue
      let keep = events.findIndex((event) => event.revision >= revision)
      if (keep < 0) keep = events.length
      if (keep > 0 && events[keep - 1]!.type === "put") keep--
      events.splice(0, keep)
      if (events.length === 0) this.#keys.delete(key)
    }
  }

  async grantLease(ttlSeconds: number): Promise<number> {
    this.#checkOpen()
    return this.#leases.grant(ttlSeconds).id
  }

  async renewLease(id: number): Promise<boolean> {
    this.#checkOpen()
    return this.#leases.renew(id) !== undefined
  }

  async revokeLease(id: number): Promise<void> {
    this.#checkOpen()
    this.#endLease(id)
  }

  async size(): Promise<number> {
    return 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#hub.close()
    this.#leases[Symbol.dispose]()
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error("Cannot use the store: it is closed")
  }

  #readRevision(revision = this.#revision): number {
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision)
    if (revision < this.#compactRevision) throw new CompactedError(revision, this.#compactRevision)
    return revision
  }

  #current(key: string): KeyValue | undefined {
    return this.#keys.get(key)?.at(-1)?.kv
  }

  #append(event: StoreEvent): void {
    this.#revision = event.revision
    this.#log.push(event)
    const events = this.#keys.get(event.key)
    if (events) events.push(event)
    else this.#keys.set(event.key, [event])
    const { kv, previous } = event
    if (previous && previous.lease !== 0 && previous.lease !== kv?.lease)
      this.#leaseKeys.get(previous.lease)?.delete(event.key)
    if (kv && kv.lease !== 0) {
      const keys = this.#leaseKeys.get(kv.lease)
      if (keys) keys.add(event.key)
      else this.#leaseKeys.set(kv.lease, new Set([event.key]))
    }
    this.#hub.publish([event])
  }

  #endLease(id: number): void {
    if (!this.#leases.remove(id)) return
    const keys = [...(this.#leaseKeys.get(id) ?? [])].sort(compareKeys)
    this.#leaseKeys.delete(id)
    for (const key of keys) {
      const previous = this.#current(key)!
      this.#append({ type: "delete", revision: this.#revision + 1, key, kv: undefined, previous })
    }
  }

  #readLog(prefix: string, from: number): { events: StoreEvent[]; next: number } {
    const start = Math.max(from - this.#logStart, 0)
    const slice = this.#log.slice(start, start + historySlice)
    const next = (slice.at(-1)?.revision ?? this.#revision) + 1
    return { events: slice.filter((event) => event.key.startsWith(prefix)), next }
  }
}

/** Whether a write may happen to a key that is now `current`. */
function holds(expected: Expected, current: KeyValue | undefined): boolean {
  return expected === undefined || expected === (current?.modRevision ?? 0)
}

function stateAt(events: readonly StoreEvent[] | undefined, revision: number): KeyValue | undefined {
  return events?.findLast((event) => event.revision <= revision)?.kv
}
