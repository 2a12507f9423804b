/**
 * Stands before the sink of a watch whose objects have to wait for their conversion: items go on in order, batch by batch,
 * once their objects are ready, and bookmarks behind them. What fields the watch selects by is asked then.
 */
import { internalError, StatusError } from "@knarr/apimachinery"
import { abortable, asError } from "@knarr/base"
import type { CachedObject } from "./cached-object.ts"
import { conversionBatch } from "./converter.ts"
import type { KindView } from "./kind-view.ts"
import type { Selection } from "./selection.ts"
import type { WatchSink } from "./watch-sink.ts"
import { seenAs, type WatchItem } from "./watchers.ts"

/** Items, and bytes of them, that may wait for their conversion; then the watch ends. */
const waitingLimit = 20_000
const waitingBytes = 16 * 1024 * 1024

type Waiting =
  | { readonly items: readonly WatchItem[]; readonly bytes: number }
  | { readonly revision: number; readonly initialEventsEnd: boolean }

export class ConvertingSink implements WatchSink {
  readonly #sink: WatchSink
  readonly #view: KindView
  readonly #selection: Selection
  readonly #signal: AbortSignal
  readonly #end: () => void
  #waiting: Waiting[] = []
  #count = 0
  #bytes = 0
  #running: Promise<void> | undefined
  #open = true

  /** `end` is called when the watch cannot go on: its sink is too slow, or has been told a failure. */
  constructor(sink: WatchSink, view: KindView, selection: Selection, signal: AbortSignal, end: () => void) {
    this.#sink = sink
    this.#view = view
    this.#selection = selection
    this.#signal = signal
    this.#end = end
  }

  deliver(items: readonly WatchItem[]): boolean {
    if (!this.#open) return false
    for (let at = 0; at < items.length; at += conversionBatch) {
      const batch = items.slice(at, at + conversionBatch)
      const bytes = batch.reduce((sum, { object }) => sum + object.bytes.length, 0)
      this.#count += batch.length
      this.#bytes += bytes
      this.#waiting.push({ items: batch, bytes })
    }
    if (this.#count > waitingLimit || this.#bytes > waitingBytes) return false
    this.#running ??= this.#run()
    return true
  }

  bookmark(revision: number, initialEventsEnd: boolean): void {
    if (!this.#open) return
    if (!this.#running) return this.#sink.bookmark(revision, initialEventsEnd)
    this.#waiting.push({ revision, initialEventsEnd })
  }

  fail(error: StatusError): void {
    this.#close()
    this.#sink.fail(error)
  }

  ready(signal: AbortSignal): Promise<void> | undefined {
    const running = this.#running
    if (!running) return this.#sink.ready?.(signal)
    return running.then(() => this.#sink.ready?.(signal))
  }

  #close(): void {
    this.#open = false
    this.#waiting = []
  }

  async #run(): Promise<void> {
    try {
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
        if ("revision" in next) {
          this.#sink.bookmark(next.revision, next.initialEventsEnd)
          continue
        }
        const shown = await this.#show(next.items)
        this.#count -= next.items.length
        this.#bytes -= next.bytes
        if (!this.#open) return
        if (shown.length > 0 && !this.#sink.deliver(shown)) {
          this.#close()
          this.#end()
        }
      }
    } catch (thrown) {
      if (this.#open && !this.#signal.aborted)
        this.fail(thrown instanceof StatusError ? thrown : internalError(asError(thrown)))
      this.#close()
      this.#end()
    } finally {
      this.#running = undefined
    }
  }

  /** The items as the watch sees them, whose objects are ready. */
  async #show(items: readonly WatchItem[]): Promise<WatchItem[]> {
    const objects = new Set<CachedObject>()
    for (const { object, event } of items) {
      objects.add(object)
      if (!this.#selection.waits || !event) continue
      objects.add(event.object)
      if (event.previous) objects.add(event.previous)
    }
    const wait = this.#view.ready([...objects])
    if (wait) await abortable(wait, this.#signal)
    if (!this.#selection.waits) return [...items]
    const shown: WatchItem[] = []
    for (const item of items) {
      const seen = item.event ? seenAs(this.#selection, item.event) : this.#matching(item)
      if (!seen) continue
      if (seen.object !== item.object && seen.object !== item.event?.object)
        await this.#view.ready([seen.object])
      shown.push(seen)
    }
    return shown
  }

  #matching(item: WatchItem): WatchItem | undefined {
    return this.#selection.matches(item.object) ? item : undefined
  }
}
