/**
 * Every object of one stored resource, in order, as served bytes. It follows the store: what has been
 * committed arrives through {@link apply}, in order of revision, and is handed to the watchers.
 * Mirrors: apiserver pkg/storage/cacher
 */
import type { Kind, KubeObject } from "@knarr/apimachinery"
import { ByteArena } from "@knarr/base"
import type { KeyValue, StoreEvent } from "@knarr/store"
import { CacheEvent } from "./cache-event.ts"
import { cachedObject, type CachedObject } from "./cached-object.ts"
import { EventRing, type EventRingLimits, HistoryBudget } from "./event-ring.ts"
import { OrderedMap } from "./ordered-map.ts"
import type { Selection } from "./selection.ts"
import { Slabs } from "./slabs.ts"
import type { StoredForm } from "./stored-form.ts"
import { Watchers } from "./watchers.ts"

/** A write of this server on its way to the store: when it comes back, its object needs no decoding. */
export interface PendingWrite {
  /** Set as soon as the write has arrived in the cache. */
  arrived: CachedObject | undefined
  cancel(): void
}

interface Expectation extends PendingWrite {
  readonly stored: Buffer
  readonly value: KubeObject
}

/** What all caches of a registry have together. */
export interface SharedMemory {
  readonly slabs: Slabs
  readonly history: HistoryBudget
}

/** Told of each object of the store that cannot be read: it is as if it were not there, but that nothing takes its place. */
export type OnUnreadable = (key: string, revision: number, thrown: unknown) => void

export class WatchCache {
  readonly form: StoredForm
  /** `/registry/<storagePrefix>/`. */
  readonly prefix: string
  readonly watchers: Watchers
  readonly #objects = new OrderedMap<CachedObject>()
  /** Objects by field value, one map for each of the first names in `shape.fieldNames`. */
  readonly #byField: readonly Map<string, Set<CachedObject>>[]
  readonly #expected = new Map<string, Expectation[]>()
  readonly #slabs: Slabs
  readonly #ring: EventRing
  /** The bytes of past states, in the order in which the ring drops them. */
  readonly #past = new ByteArena(8 * 1024)
  #loadedAt = 0
  #bytes = 0
  #batch: CacheEvent[] = []
  /** Changes that the store has told of. */
  received = 0
  /** Of these, those that watchers were told. */
  dispatched = 0
  /** How often it was filled with a whole state. */
  loads = 0
  readonly #unreadable = new Map<string, Error | undefined>()
  readonly #onUnreadable: OnUnreadable

  constructor(
    form: StoredForm,
    limits: EventRingLimits,
    shared: SharedMemory = { slabs: new Slabs(), history: new HistoryBudget(Infinity) },
    onUnreadable: OnUnreadable = () => {},
  ) {
    this.form = form
    this.#slabs = shared.slabs
    this.#onUnreadable = onUnreadable
    this.prefix = `/registry/${form.kind.storagePrefix}/`
    const { indexedFields: names = [] } = form.kind
    this.watchers = new Watchers(names)
    this.#byField = names.map(() => new Map())
    this.#ring = new EventRing(limits, shared.history, 0)
  }

  /** The version that is stored. */
  get kind(): Kind {
    return this.form.kind
  }

  get size(): number {
    return this.#objects.size
  }

  /** The sum of the objects' served bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** What past events hold, in bytes of objects. */
  get historyBytes(): number {
    return this.#ring.bytes
  }

  /** How many past events are kept at most. */
  get historyCapacity(): number {
    return this.#ring.capacity
  }

  /** Every event after this revision can be had from {@link eventsAfter}. */
  get historySince(): number {
    return this.#ring.since
  }

  /** The revision of the last change here, or the one at which the cache was loaded. */
  get changedAt(): number {
    return this.#ring.newest
  }

  /** Fills an empty cache with the state at `revision`. */
  load(kvs: Iterable<KeyValue>, revision: number): void {
    this.loads++
    for (const kv of kvs) {
      const object = this.read(kv)
      if (object) this.#put(object)
      else this.#unreadable.set(kv.key, kv.problem)
    }
    this.#loadedAt = revision
    this.#ring.clear(revision)
  }

  /** Announces a write of `stored`, which is `value` encoded. `value` must not be touched any more. */
  expect(key: string, stored: Buffer, value: KubeObject): PendingWrite {
    const list = this.#expected.get(key) ?? []
    const expectation: Expectation = {
      stored,
      value,
      arrived: undefined,
      cancel: () => {
        const at = list.indexOf(expectation)
        if (at >= 0) list.splice(at, 1)
        if (list.length === 0 && this.#expected.get(key) === list) this.#expected.delete(key)
      },
    }
    list.push(expectation)
    this.#expected.set(key, list)
    return expectation
  }

  /** Takes in one committed change and tells the watchers; {@link flush} ends the batch. */
  apply(change: StoreEvent): void {
    this.received++
    if (change.revision <= this.#loadedAt) return
    const event = this.#eventOf(change)
    if (!event) return
    if (event.type === "DELETED") this.#remove(event.previous!)
    else this.#put(event.object)
    this.#ring.push(event)
    this.#batch.push(event)
    this.watchers.dispatch(event)
    this.dispatched++
  }

  /** Returns what watchers threw. */
  flush(): readonly unknown[] {
    if (this.#batch.length === 0) return []
    const batch = this.#batch
    this.#batch = []
    const failures = this.watchers.flush()
    for (const event of batch) event.forgetFrames()
    return failures
  }

  /** The state that the store has in `kv`; undefined when it cannot be read. */
  read(kv: KeyValue): CachedObject | undefined {
    try {
      if (kv.problem) throw kv.problem
      return cachedObject(this.form, kv.key.slice(this.prefix.length), kv.value, kv.modRevision)
    } catch (thrown) {
      this.#onUnreadable(kv.key, kv.modRevision, thrown)
      return undefined
    }
  }

  /** Whether the store has something under `key` (as in {@link get}) that cannot be read. */
  isUnreadable(key: string): boolean {
    return this.#unreadable.size > 0 && this.#unreadable.has(this.prefix + key)
  }

  /** How many of these there are. */
  get unreadable(): number {
    return this.#unreadable.size
  }

  /** Why that cannot be decrypted, if that is it. */
  problemOf(key: string): Error | undefined {
    return this.#unreadable.get(this.prefix + key)
  }

  /** What the store has and cannot decrypt, by its keys there. */
  undecryptable(): (readonly [path: string, problem: Error])[] {
    if (this.#unreadable.size === 0) return []
    return [...this.#unreadable].flatMap(([path, problem]) => (problem ? [[path, problem] as const] : []))
  }

  /** Takes in what could not be read before, when it can be now; {@link flush} tells the watchers. */
  recover(kv: KeyValue): void {
    if (!this.#unreadable.has(kv.key) || kv.problem) return
    const object = this.read(kv)
    if (!object) return
    this.#unreadable.delete(kv.key)
    const event = new CacheEvent("ADDED", object, undefined)
    this.#put(object)
    this.#batch.push(event)
    this.watchers.dispatch(event)
    this.dispatched++
  }

  /**
   * The changes that lead from what is here to `kvs`, the state at `revision`, in order. `all`: revisions do not tell whether
   * an object is the same. They can be applied then, however old they are.
   */
  changesTo(kvs: Iterable<KeyValue>, revision: number, all = false): StoreEvent[] {
    if (all) this.#loadedAt = 0
    const gone = new Set([...this.#objects.values()].map(({ key }) => key))
    const changes: StoreEvent[] = []
    for (const kv of kvs) {
      const key = kv.key.slice(this.prefix.length)
      gone.delete(key)
      if (all || this.get(key)?.revision !== kv.modRevision)
        changes.push({ type: "put", key: kv.key, revision: kv.modRevision, kv, previous: undefined })
    }
    changes.sort((a, b) => a.revision - b.revision)
    for (const key of gone)
      changes.push({ type: "delete", key: this.prefix + key, revision, kv: undefined, previous: undefined })
    return changes
  }

  /** Nothing from before `revision` can be had any more. */
  forgetHistory(revision: number): void {
    this.#ring.clear(revision)
    this.#past.clear()
  }

  /** The store has no events up to `revision` any more: neither need there be any here. */
  compact(revision: number): void {
    this.#ring.forget(revision)
    if (this.#ring.bytes === 0) this.#past.clear()
  }

  /** The event that a change from the store's history stands for; it does not touch the cache. */
  historicEvent(change: StoreEvent): CacheEvent | undefined {
    const previous = change.previous && this.read(change.previous)
    const object = change.kv && this.read(change.kv)
    if (!object) return previous && new CacheEvent("DELETED", previous.at(change.revision), previous)
    return new CacheEvent(previous ? "MODIFIED" : "ADDED", object, previous)
  }

  /** Events after `revision`, which must not be before {@link historySince}. */
  eventsAfter(revision: number): CacheEvent[] {
    return this.#ring.after(revision)
  }

  /** By `<namespace>/<name>` or `<name>`. */
  get(key: string): CachedObject | undefined {
    return this.#objects.get(key)
  }

  /** All objects in a namespace ("" for all), in order, beginning at `from`. */
  collect(namespace: string, from = ""): CachedObject[] {
    return this.#objects.collect(namespace === "" ? "" : `${namespace}/`, from)
  }

  /**
   * The objects that can match: in order, narrowed by name or an indexed field where the selection has one.
   * Those returned may still fail `selection.matches`.
   */
  candidates(selection: Selection): CachedObject[] {
    const { namespace, fields } = selection
    const name = fields.exactValue("metadata.name")
    if (name !== undefined && (namespace !== "" || !this.kind.namespaced)) {
      const found = this.get(this.kind.namespaced ? `${namespace}/${name}` : name)
      return found ? [found] : []
    }
    for (let i = 0; i < this.#byField.length; i++) {
      const value = fields.exactValue(this.form.shape.fieldNames[i]!)
      // Most objects may share the empty value: walking in order is then as good.
      if (value === undefined || value === "") continue
      const out: CachedObject[] = []
      for (const object of this.#byField[i]!.get(value) ?? []) {
        if (namespace === "" || object.namespace === namespace) out.push(object)
      }
      return out.sort((a, b) => (a.key < b.key ? -1 : 1))
    }
    return this.collect(namespace)
  }

  values(): IterableIterator<CachedObject> {
    return this.#objects.values()
  }

  #eventOf(change: StoreEvent): CacheEvent | undefined {
    const key = change.key.slice(this.prefix.length)
    const previous = this.#objects.get(key)
    const object = change.kv && this.#stateOf(key, change.kv)
    if (change.kv && !object) this.#unreadable.set(change.key, change.kv.problem)
    else if (this.#unreadable.size > 0) this.#unreadable.delete(change.key)
    if (!object) {
      if (!previous) return undefined
      const last = previous.at(change.revision)
      last.bytes = this.#past.copy(last.bytes)
      return new CacheEvent("DELETED", last, previous)
    }
    return new CacheEvent(previous ? "MODIFIED" : "ADDED", object, previous)
  }

  /** As {@link read}; a write of this server needs no decoding. */
  #stateOf(key: string, kv: KeyValue): CachedObject | undefined {
    const expected = this.#expected.get(key)?.find((e) => e.stored.equals(kv.value))
    if (!expected) return this.read(kv)
    const value = this.form.keepsValues ? expected.value : undefined
    const object = cachedObject(this.form, key, kv.value, kv.modRevision, value)
    expected.arrived = object
    expected.cancel()
    return object
  }

  #put(object: CachedObject): void {
    const old = this.#objects.get(object.key)
    if (old) {
      this.#bytes -= old.bytes.length
      this.#slabs.release(old, this.#past)
      old.retire()
    }
    this.#slabs.adopt(object)
    this.#bytes += object.bytes.length
    this.#objects.set(object.key, object)
    for (let i = 0; i < this.#byField.length; i++) {
      const value = object.fields[i]!
      if (old) this.#unindex(i, old)
      if (value === "") continue
      const index = this.#byField[i]!
      const set = index.get(value)
      if (set) set.add(object)
      else index.set(value, new Set([object]))
    }
  }

  #remove(object: CachedObject): void {
    this.#bytes -= object.bytes.length
    this.#slabs.release(object, this.#past)
    object.retire()
    this.#objects.delete(object.key)
    for (let i = 0; i < this.#byField.length; i++) this.#unindex(i, object)
  }

  #unindex(i: number, object: CachedObject): void {
    const index = this.#byField[i]!
    const value = object.fields[i]!
    const set = index.get(value)
    if (!set?.delete(object)) return
    if (set.size === 0) index.delete(value)
  }
}
