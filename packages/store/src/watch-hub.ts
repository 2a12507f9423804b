/**
 * The watching side that engines share. A watcher first catches up from the engine's history, slice by slice
 * at its own pace, and then, in the same turn in which nothing is left to read, becomes live: from there on
 * commits are put into its bounded buffer. So there is neither a gap nor a repetition.
 */
import { CancelledError, type Deferred, abortable, deferred } from "@knarr/base"
import { CompactedError, SlowWatcherError, type StoreEvent, type WatchOptions } from "./store.ts"

/** What a watcher reads of its engine. */
export interface History {
  /** The newest revision that has been published to live watchers. */
  readonly revision: () => number
  readonly compactRevision: () => number
  /**
   * The events of keys with `prefix` from revision `from` on, up to `revision`, at most a slice of them; `next` is
   * the revision at which to go on. The work of one call is bounded.
   */
  read(prefix: string, from: number): { readonly events: readonly StoreEvent[]; readonly next: number }
  /** Called between two slices, so that catching up does not hold the event loop. */
  pause(): Promise<void>
}

interface Live {
  readonly prefix: string
  /** Events before this revision are not wanted. */
  readonly from: number
  buffer: StoreEvent[]
  waiting: Deferred<void> | undefined
  /** Once set nothing more is buffered; thrown when the buffer is empty. */
  failure: Error | undefined
}

export class WatchHub {
  readonly #history: History
  readonly #bound: number
  /** Live watchers by prefix: an event is compared with each prefix once. */
  readonly #live = new Map<string, Set<Live>>()
  #closed: Error | undefined

  /** `bound` is the number of events that a live watcher may fall behind. */
  constructor(history: History, bound: number) {
    this.#history = history
    this.#bound = bound
  }

  /** Hands durable events to the live watchers; called in order of revision, after the history has them. */
  publish(events: readonly StoreEvent[]): void {
    for (const [prefix, watchers] of this.#live) {
      const matching = prefix === "" ? events : events.filter((event) => event.key.startsWith(prefix))
      if (matching.length === 0) continue
      for (const watcher of watchers) this.#offer(watcher, matching)
    }
  }

  /** See {@link Store.watch}. The default start is the revision after the present one, whenever iteration begins. */
  watch(options: WatchOptions): AsyncIterable<readonly StoreEvent[]> {
    const from = options.from ?? this.#history.revision() + 1
    return { [Symbol.asyncIterator]: () => this.#run(options.prefix, from, options.signal) }
  }

  /** Ends every watcher with a {@link CancelledError}. */
  close(): void {
    this.#closed ??= new CancelledError("The store")
    for (const watchers of this.#live.values()) {
      for (const watcher of watchers) {
        watcher.failure ??= this.#closed
        watcher.waiting?.resolve()
      }
    }
  }

  async *#run(prefix: string, from: number, signal: AbortSignal): AsyncGenerator<readonly StoreEvent[]> {
    let next = from
    for (let slices = 0; ; slices++) {
      signal.throwIfAborted()
      if (this.#closed) throw this.#closed
      if (next < this.#history.compactRevision())
        throw new CompactedError(next, this.#history.compactRevision())
      if (next > this.#history.revision()) break
      const slice = this.#history.read(prefix, next)
      next = slice.next
      if (slice.events.length > 0) yield slice.events
      if (slices > 0) await this.#history.pause()
    }
    const live: Live = { prefix, from: next, buffer: [], waiting: undefined, failure: undefined }
    this.#add(live)
    try {
      for (;;) {
        signal.throwIfAborted()
        if (live.buffer.length > 0) {
          const batch = live.buffer
          live.buffer = []
          yield batch
        } else if (live.failure) throw live.failure
        else {
          live.waiting = deferred()
          await abortable(live.waiting.promise, signal)
          live.waiting = undefined
        }
      }
    } finally {
      this.#remove(live)
    }
  }

  #offer(watcher: Live, events: readonly StoreEvent[]): void {
    if (watcher.failure) return
    const wanted =
      events[0]!.revision >= watcher.from ? events : events.filter((event) => event.revision >= watcher.from)
    if (wanted.length === 0) return
    // A commit larger than the bound is no fault of a watcher that has taken everything before it.
    if (watcher.buffer.length > 0 && watcher.buffer.length + wanted.length > this.#bound) {
      watcher.failure = new SlowWatcherError(this.#bound)
    } else if (watcher.buffer.length === 0) watcher.buffer = wanted.slice()
    else watcher.buffer.push(...wanted)
    watcher.waiting?.resolve()
  }

  #add(watcher: Live): void {
    let watchers = this.#live.get(watcher.prefix)
    if (!watchers) this.#live.set(watcher.prefix, (watchers = new Set()))
    watchers.add(watcher)
  }

  #remove(watcher: Live): void {
    const watchers = this.#live.get(watcher.prefix)
    watchers?.delete(watcher)
    if (watchers?.size === 0) this.#live.delete(watcher.prefix)
  }
}
