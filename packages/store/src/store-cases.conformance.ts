/** What the parts of the conformance suite share: how an engine is opened, and how results are compared. */
import type { KeyValue, Store, StoreEvent } from "./store.ts"

export interface ConformanceOptions {
  /**
   * The engine is another program: a lease ends all its keys in one revision, and what was before the oldest revision that is
   * kept is not told with it.
   */
  readonly remote?: boolean
  /** A new, empty store whose live watchers may fall behind by `watchBuffer` events. */
  readonly open: (options: { watchBuffer: number }) => Promise<ConformanceStore>
}

export interface ConformanceStore extends AsyncDisposable {
  readonly store: Store
  /** Lets `ms` milliseconds pass on the store's clock; absent when that is its own. */
  readonly advance?: (ms: number) => Promise<void>
  /** Closes the store and opens it again, `awayMs` later; absent when the engine keeps nothing. */
  readonly reopen?: (awayMs?: number) => Promise<Store>
}

/** Registers one test, which gets a store of its own. */
export type StoreTest = (
  title: string,
  fn: (context: ConformanceStore & { s: Store }) => Promise<void>,
  watchBuffer?: number,
) => void

/** The bytes of a text. */
export const bytes = (text: string): Buffer => Buffer.from(text)
/** The keys of these states. */
export const keysOf = (kvs: readonly KeyValue[]): string[] => kvs.map((kv) => kv.key)
/** A signal that stays silent. */
export const never = (): AbortSignal => new AbortController().signal

/** Everything about a state that a test compares, in one line. */
export function show(kv: KeyValue | undefined): string {
  if (!kv) return "-"
  return `${kv.key}=${kv.value.toString()} c${kv.createRevision} m${kv.modRevision} v${kv.version} l${kv.lease}`
}

/** An event, in one line. */
export function showEvent(event: StoreEvent): string {
  return `${event.revision} ${event.type} ${event.key}: ${show(event.previous)} > ${show(event.kv)}`
}

/** The next `count` events of a watch, which then ends. */
export async function take(
  watch: AsyncIterable<readonly StoreEvent[]>,
  count: number,
): Promise<StoreEvent[]> {
  const events: StoreEvent[] = []
  if (count === 0) return events
  for await (const batch of watch) {
    events.push(...batch)
    if (events.length >= count) break
  }
  return events
}
