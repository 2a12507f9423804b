/**
 * Follows the store with one watch and hands each change to the cache it belongs to. Because every revision
 * passes here, the revision reached is that of all caches at once: a consistent read waits for it. When the
 * store has compacted what was missed, the caches are read again and the difference is handed on.
 */
import { timeout } from "@knarr/apimachinery"
import {
  Backoff,
  abortable,
  deferred,
  messageOf,
  type Clock,
  type Deferred,
  type Logger,
  type Scope,
} from "@knarr/base"
import { CompactedError, type KeyValue, type Store, type StoreEvent } from "@knarr/store"
import type { WatchCache } from "./watch-cache.ts"

const root = "/registry/"
/** Objects per read while a cache is filled. */
const pageSize = 2000
/** How long a read or a write waits for the store's changes to arrive, in milliseconds. */
const reachLimitMs = 15_000

interface Waiter {
  readonly revision: number
  readonly turn: Deferred<void>
}

export class Follower {
  readonly #store: Store
  readonly #log: Logger
  readonly #clock: Clock
  /** By storage prefix, without `/registry/` and the last slash. */
  readonly #caches = new Map<string, WatchCache>()
  /** Caches that are being filled, with what happened meanwhile. */
  readonly #filling = new Map<WatchCache, StoreEvent[]>()
  #waiters: Waiter[] = []
  #revision = 0
  #lostUpTo = 0
  /** Counts how often the caches were read again: a cache being filled meanwhile begins anew. */
  #relists = 0

  constructor(options: { store: Store; log: Logger; clock: Clock }) {
    this.#store = options.store
    this.#log = options.log
    this.#clock = options.clock
  }

  /** Every change up to this revision is in the caches. */
  get revision(): number {
    return this.#revision
  }

  /**
   * Up to here revisions have been seen of a store that has an older state now: those after {@link revision} tell nothing of
   * what is to come. 0: of no such store.
   */
  get lostUpTo(): number {
    return this.#lostUpTo
  }

  /** Fills `caches` and follows the store from there on, as long as the scope is open. */
  async start(caches: readonly WatchCache[], scope: Scope): Promise<void> {
    const at = await this.#store.currentRevision()
    for (const cache of caches) {
      this.#caches.set(cache.kind.storagePrefix, cache)
      cache.load(await this.#read(cache, at), at)
    }
    this.#revision = at
    scope.run("watch of the store", (signal) => this.#follow(signal), { restart: true })
  }

  /** Fills one more cache and follows it. */
  async add(cache: WatchCache): Promise<void> {
    this.#caches.set(cache.kind.storagePrefix, cache)
    const missed: StoreEvent[] = []
    this.#filling.set(cache, missed)
    try {
      for (;;) {
        const relists = this.#relists
        missed.length = 0
        const at = await this.#store.currentRevision()
        const kvs = await this.#read(cache, at)
        if (relists !== this.#relists) continue
        cache.load(kvs, at)
        break
      }
    } finally {
      this.#filling.delete(cache)
    }
    for (const change of missed) this.#apply(cache, change)
    this.#flush(cache)
  }

  /** Stops following a cache; its watches end. */
  remove(cache: WatchCache): void {
    if (this.#caches.get(cache.kind.storagePrefix) === cache) this.#caches.delete(cache.kind.storagePrefix)
    cache.watchers.closeAll()
  }

  /**
   * Resolves when the caches hold `revision`. Rejects with a StatusError (504) when the store's changes do not
   * arrive; what was written is stored nevertheless.
   */
  async reach(revision: number, signal?: AbortSignal): Promise<void> {
    if (revision <= this.#revision) return
    const turn = deferred()
    const waiter = { revision, turn }
    this.#waiters.push(waiter)
    using _limit = this.#clock.timer(reachLimitMs, () =>
      turn.reject(
        timeout(`revision ${revision} of the store has not arrived here, which is at ${this.#revision}`, 1),
      ),
    )
    try {
      await (signal ? abortable(turn.promise, signal) : turn.promise)
    } catch (thrown) {
      this.#waiters = this.#waiters.filter((other) => other !== waiter)
      throw thrown
    }
  }

  async #read(cache: WatchCache, revision: number): Promise<KeyValue[]> {
    const kvs: KeyValue[] = []
    let from = cache.prefix
    for (;;) {
      const page = await this.#store.range({ prefix: cache.prefix, from, limit: pageSize, revision })
      for (const kv of page.kvs) kvs.push(kv)
      if (page.kvs.length < pageSize) return kvs
      from = page.kvs[page.kvs.length - 1]!.key + "\0"
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const pause = new Backoff({ firstMs: 100, maxMs: 5000 })
    let stale = false
    for (let first = true; ; first = false) {
      try {
        // A store that was restored has an older state than it had: a watch from there on would tell nothing.
        if (!first) stale ||= (await this.#store.currentRevision(signal)) < this.#revision
        if (stale) await this.#relist()
        stale = false
        for await (const batch of this.#store.watch({ prefix: "", from: this.#revision + 1, signal })) {
          this.#take(batch)
          pause.reset()
        }
      } catch (thrown) {
        if (signal.aborted) throw thrown
        this.#log.warn("The watch of the store ended; watching again", { err: messageOf(thrown) })
        stale ||= thrown instanceof CompactedError
      }
      await pause.wait(this.#clock, signal)
    }
  }

  /**
   * Reads every cache again. Clients' watches end, since what happened in between cannot be told any more: they
   * list again. Parts of this server that follow a cache are told how its objects differ now.
   */
  async #relist(): Promise<void> {
    this.#relists++
    const at = await this.#store.currentRevision()
    // What is here may be of a history that has not been, under the revisions of what has.
    const isOther = at < this.#revision
    const differences: [WatchCache, readonly StoreEvent[]][] = []
    for (const cache of this.#caches.values())
      if (!this.#filling.has(cache))
        differences.push([cache, cache.changesTo(await this.#read(cache, at), at, isOther)])
    if (isOther) this.#lostUpTo = Math.max(this.#lostUpTo, this.#revision)
    this.#revision = at
    for (const [cache, changes] of differences) {
      cache.watchers.closeAll()
      for (const change of changes) this.#apply(cache, change)
      cache.forgetHistory(at)
      this.#flush(cache)
    }
    this.#wake()
  }

  #take(batch: readonly StoreEvent[]): void {
    const changed = new Set<WatchCache>()
    for (const change of batch) {
      const cache = this.cacheOf(change.key)
      if (!cache) continue
      const missed = this.#filling.get(cache)
      if (missed) {
        missed.push(change)
        continue
      }
      this.#apply(cache, change)
      changed.add(cache)
    }
    const last = batch[batch.length - 1]
    if (last && last.revision > this.#revision) this.#revision = last.revision
    for (const cache of changed) this.#flush(cache)
    this.#wake()
  }

  /** One unreadable value must not stop the others. */
  #apply(cache: WatchCache, change: StoreEvent): void {
    try {
      cache.apply(change)
    } catch (thrown) {
      const { key, revision } = change
      this.#log.error("Cannot read an object of the store", thrown, { key, revision })
    }
  }

  /** Nor must one watcher that fails. */
  #flush(cache: WatchCache): void {
    for (const thrown of cache.flush())
      this.#log.error("A watcher failed", thrown, { resource: cache.kind.plural })
  }

  /** Tries again to read what could not be decrypted. */
  async recover(): Promise<void> {
    for (const cache of this.#caches.values()) {
      for (const [path] of cache.undecryptable()) {
        const kv = await this.#store.get(path)
        if (kv) cache.recover(kv)
      }
      this.#flush(cache)
    }
  }

  /** The cache that a key of the store belongs to. */
  cacheOf(key: string): WatchCache | undefined {
    if (!key.startsWith(root)) return undefined
    // A storage prefix has one part or more: `pods`, `services/specs`, `apps/deployments`.
    for (let end = key.indexOf("/", root.length); end >= 0; end = key.indexOf("/", end + 1)) {
      const cache = this.#caches.get(key.slice(root.length, end))
      if (cache) return cache
    }
    return undefined
  }

  #wake(): void {
    if (this.#waiters.length === 0) return
    const ready = this.#waiters.filter((waiter) => waiter.revision <= this.#revision)
    if (ready.length === 0) return
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#revision)
    for (const waiter of ready) waiter.turn.resolve()
  }
}
