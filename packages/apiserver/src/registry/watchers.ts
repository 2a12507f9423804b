/**
 * Who watches one resource. A watcher that can only match objects of one name, one field value or one namespace
 * is asked about those alone, so an event costs what its own watchers cost and not all of them.
 */
import type { CacheEvent, ChangeType } from "./cache-event.ts"
import type { CachedObject } from "./cached-object.ts"
import type { Selection } from "./selection.ts"

/** One change as one watcher sees it. */
export interface WatchItem {
  readonly type: ChangeType
  readonly object: CachedObject
  /** The event it comes from, whose frames may be shared; undefined in an initial list. */
  readonly event: CacheEvent | undefined
}

/** How one watcher sees an event, or undefined when it does not concern it. Mirrors: storage/cacher/cache_watcher.go */
export function seenAs(selection: Selection, event: CacheEvent): WatchItem | undefined {
  const { type, object, previous } = event
  if (selection.namespace !== "" && object.namespace !== selection.namespace) return undefined
  if (selection.all) return { type, object, event }
  const is = type !== "DELETED" && selection.matches(object)
  const was = previous !== undefined && selection.matches(previous)
  if (is) return { type: was ? "MODIFIED" : "ADDED", object, event }
  return was ? { type: "DELETED", object: event.left, event } : undefined
}

/** What a watch does with what it is told; calls come in order of revision and never overlap. */
export interface Watcher {
  readonly selection: Selection
  /** One change; nothing may be sent before {@link flush}. */
  accept(item: WatchItem): void
  /** The batch is complete. */
  flush(): void
  /** The cache no longer follows the store: the watch must end. */
  close(): void
}

export class Watchers {
  /** Under `n:<name>`, `f:<field index>=<value>`, `s:<namespace>` or "". */
  readonly #buckets = new Map<string, Set<Watcher>>()
  readonly #bucketOf = new Map<Watcher, string>()
  readonly #touched = new Set<Watcher>()
  /** What watchers threw since the last flush. */
  #failures: unknown[] = []
  readonly #fieldNames: readonly string[]

  /** `fieldNames` are the names of {@link CachedObject.fields} that may be looked up. */
  constructor(fieldNames: readonly string[]) {
    this.#fieldNames = fieldNames
  }

  get size(): number {
    return this.#bucketOf.size
  }

  add(watcher: Watcher): void {
    const key = this.#keyOf(watcher.selection)
    let bucket = this.#buckets.get(key)
    if (!bucket) this.#buckets.set(key, (bucket = new Set()))
    bucket.add(watcher)
    this.#bucketOf.set(watcher, key)
  }

  remove(watcher: Watcher): void {
    const key = this.#bucketOf.get(watcher)
    if (key === undefined) return
    this.#bucketOf.delete(watcher)
    this.#touched.delete(watcher)
    const bucket = this.#buckets.get(key)!
    bucket.delete(watcher)
    if (bucket.size === 0) this.#buckets.delete(key)
  }

  dispatch(event: CacheEvent): void {
    if (this.#buckets.size === 0) return
    const { object, previous } = event
    this.#offer("", event)
    if (object.namespace !== "") this.#offer(`s:${object.namespace}`, event)
    this.#offer(`n:${object.name}`, event)
    for (let i = 0; i < this.#fieldNames.length; i++) {
      const now = object.fields[i]!
      this.#offer(`f:${i}=${now}`, event)
      const before = previous?.fields[i]
      if (before !== undefined && before !== now) this.#offer(`f:${i}=${before}`, event)
    }
  }

  /** Tells everyone who was offered something that the batch is complete. Returns what watchers threw. */
  flush(): readonly unknown[] {
    for (const watcher of this.#touched) {
      try {
        watcher.flush()
      } catch (thrown) {
        this.#failed(watcher, thrown)
      }
    }
    this.#touched.clear()
    const failures = this.#failures
    this.#failures = []
    return failures
  }

  closeAll(): void {
    for (const watcher of [...this.#bucketOf.keys()]) watcher.close()
  }

  #offer(key: string, event: CacheEvent): void {
    const bucket = this.#buckets.get(key)
    if (!bucket) return
    for (const watcher of bucket) {
      try {
        const item = seenAs(watcher.selection, event)
        if (!item) continue
        watcher.accept(item)
        this.#touched.add(watcher)
      } catch (thrown) {
        this.#failed(watcher, thrown)
      }
    }
  }

  /** A watcher that fails ends alone: its client watches again. */
  #failed(watcher: Watcher, thrown: unknown): void {
    this.#failures.push(thrown)
    watcher.close()
  }

  #keyOf({ fields, namespace }: Selection): string {
    const name = fields.exactValue("metadata.name")
    if (name !== undefined) return `n:${name}`
    for (let i = 0; i < this.#fieldNames.length; i++) {
      const value = fields.exactValue(this.#fieldNames[i]!)
      if (value !== undefined) return `f:${i}=${value}`
    }
    return namespace === "" ? "" : `s:${namespace}`
  }
}
