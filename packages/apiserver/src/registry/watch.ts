/**
 * One watch: the present objects or the events since a revision, then what happens, bookmarks, and an end.
 * Every queue is bounded; a watch that cannot keep up is closed, and the client resumes from where it was.
 * Mirrors: apiserver pkg/storage/cacher, pkg/endpoints/handlers/watch.go
 */
import type { WatchSink } from "./watch-sink.ts"
import {
  field,
  type FieldError,
  invalid,
  resourceExpired,
  StatusError,
  internalError,
} from "@knarr/apimachinery"
import { abortable, asError, deferred } from "@knarr/base"
import { CompactedError } from "@knarr/store"
import type { CacheEvent } from "./cache-event.ts"
import { parseResourceVersion, waitForRevision } from "./revisions.ts"
import { type Selection, withoutFields } from "./selection.ts"
import type { ResourceStorage } from "./storage.ts"
import { ConvertingSink } from "./watch-conversion.ts"
import { seenAs, type Watcher, type WatchItem } from "./watchers.ts"

export interface WatchQuery {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly resourceVersion?: string | undefined
  readonly resourceVersionMatch?: string | undefined
  readonly sendInitialEvents?: boolean | undefined
  readonly allowWatchBookmarks?: boolean | undefined
  readonly timeoutSeconds?: number | undefined
  readonly continue?: string | undefined
}

/** Items, and bytes of them, that may wait while a watch catches up. */
const backlogLimit = 100_000
const backlogBytes = 16 * 1024 * 1024
const bookmarkMs = 60_000
/** A watch of less ends without one. */
const shortestWithBookmarkMs = 2000
/** Objects, and bytes of them, of an initial list that are handed over at once. */
const initialSlice = 256
const initialSliceBytes = 256 * 1024
/** How long a watch lasts when the client does not say; up to twice that. */
const defaultTimeoutMs = 30 * 60_000

/** Mirrors: apimachinery internalversion/validation validateWatchOptions */
function validateWatchQuery(query: WatchQuery): void {
  const errors: FieldError[] = []
  let match = query.resourceVersionMatch ?? ""
  let { sendInitialEvents } = query
  // Who says nothing begins with what there is.
  if (match === "" && sendInitialEvents === undefined && ["", "0"].includes(query.resourceVersion ?? "")) {
    match = "NotOlderThan"
    sendInitialEvents = true
  }
  const path = "resourceVersionMatch"
  if (sendInitialEvents !== undefined && match !== "NotOlderThan") {
    errors.push(
      field.forbidden(path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
    )
  }
  if (match !== "") {
    if (sendInitialEvents === undefined) {
      errors.push(
        field.forbidden(
          path,
          "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
      )
    }
    if (match !== "NotOlderThan") errors.push(field.notSupported(path, match, ["NotOlderThan"]))
    if (query.continue) {
      errors.push(field.forbidden(path, "resourceVersionMatch is forbidden when continue is provided"))
    }
  }
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", errors)
}

/** A watch that has been accepted; {@link run} does the rest. */
export interface PreparedWatch {
  /** Resolves when the watch has ended: its time is over, the signal, a failure told to the sink, or a slow reader. */
  run(sink: WatchSink, signal: AbortSignal): Promise<void>
}

/** Checks a watch and waits until it can begin. Throws StatusErrors that are the request's answer. */
export async function prepareWatch(
  storage: ResourceStorage,
  query: WatchQuery,
  signal?: AbortSignal,
): Promise<PreparedWatch> {
  validateWatchQuery(query)
  storage.checkDecrypted()
  const selection = storage.select(query)
  const version = query.resourceVersion ?? ""
  const since = parseResourceVersion(version)
  const initial = query.sendInitialEvents ?? since === 0
  if (initial || since === 0) await waitForRevision(storage, version, signal)
  return { run: (sink, until) => new Watch(storage, selection, query, sink, initial, since).run(until) }
}

class Watch implements Watcher {
  readonly selection: Selection
  /** The same as {@link selection}, but where fields wait for the conversion of objects. */
  readonly #wanted: Selection
  readonly #storage: ResourceStorage
  readonly #query: WatchQuery
  #sink: WatchSink
  readonly #initial: boolean
  readonly #since: number
  readonly #ended = deferred()
  #items: WatchItem[] = []
  #itemBytes = 0
  #live = false
  #open = true

  constructor(
    storage: ResourceStorage,
    selection: Selection,
    query: WatchQuery,
    sink: WatchSink,
    initial: boolean,
    since: number,
  ) {
    this.#storage = storage
    this.#wanted = selection
    this.selection = selection.waits ? withoutFields(selection) : selection
    this.#query = query
    this.#sink = sink
    this.#initial = initial
    this.#since = since
  }

  accept(item: WatchItem): void {
    // A resourceVersion may be asked for that is still to come.
    if (!this.#initial && item.event && item.event.revision <= this.#since) return
    this.#itemBytes += item.object.bytes.length
    // The items of a batch are handed over at its end: only those of a watch that is not live yet add up.
    if (this.#items.length >= backlogLimit || (!this.#live && this.#itemBytes > backlogBytes)) this.close()
    if (this.#open) this.#items.push(item)
  }

  flush(): void {
    if (!this.#live || this.#items.length === 0) return
    const items = this.#items
    this.#items = []
    this.#itemBytes = 0
    if (!this.#sink.deliver(items)) this.close()
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#items = []
    this.#storage.cache.watchers.remove(this)
    this.#ended.resolve()
  }

  async run(signal: AbortSignal): Promise<void> {
    const { env } = this.#storage.deps
    const onAbort = (): void => this.close()
    signal.addEventListener("abort", onAbort, { once: true })
    const controller = new AbortController()
    let bookmarks: Disposable | undefined
    const { timeoutSeconds } = this.#query
    const { watchTimeoutMs = defaultTimeoutMs } = this.#storage.deps
    const timeoutMs =
      timeoutSeconds && timeoutSeconds > 0 ? timeoutSeconds * 1000 : watchTimeoutMs * (1 + env.random.next())
    const timer = env.clock.timer(timeoutMs, () => {
      const bookmark = this.#query.allowWatchBookmarks && timeoutMs >= shortestWithBookmarkMs
      if (this.#live && bookmark) this.#bookmark(false)
      this.close()
    })
    const sendBookmark = (): void => {
      if (!this.#open) return
      this.#bookmark(false)
      bookmarks = env.clock.timer(bookmarkMs, sendBookmark)
    }
    this.#ended.promise.then(
      () => controller.abort(),
      () => {},
    )
    const { view } = this.#storage
    if (view.waits) {
      const { signal: open } = controller
      this.#sink = new ConvertingSink(this.#sink, view, this.#wanted, open, () => this.close())
    }
    try {
      if (signal.aborted) return
      await this.#begin(controller.signal)
      if (!this.#open) return
      if (this.#query.allowWatchBookmarks) {
        // Not all at the same moment.
        bookmarks = env.clock.timer(bookmarkMs * (0.9 + 0.1 * env.random.next()), sendBookmark)
      }
      await this.#ended.promise
    } catch (thrown) {
      if (!controller.signal.aborted) this.#sink.fail(asWatchFailure(thrown, this.#since))
    } finally {
      this.close()
      timer[Symbol.dispose]()
      bookmarks?.[Symbol.dispose]()
      signal.removeEventListener("abort", onAbort)
    }
  }

  /** Delivers what there is to begin with; on return the watch is live. */
  async #begin(signal: AbortSignal): Promise<void> {
    const { cache, deps } = this.#storage
    const { revision: shown, lostUpTo } = deps.follower
    // Of a history that was lost: what is to come has the same revisions.
    if (this.#since > shown && this.#since <= lostUpTo) throw new CompactedError(this.#since, shown)
    if (this.#initial) {
      const present = cache.candidates(this.selection)
      cache.watchers.add(this)
      await this.#deliverInitial(present, signal)
    } else if (this.#since === 0 || this.#since >= cache.historySince) {
      const missed = this.#since === 0 ? [] : cache.eventsAfter(this.#since)
      cache.watchers.add(this)
      this.#deliverEvents(missed)
    } else {
      await this.#deliverHistory(signal)
    }
    if (!this.#open) return
    this.#live = true
    const backlog = this.#items
    this.#items = []
    this.#itemBytes = 0
    if (this.#initial && this.#query.sendInitialEvents && this.#query.allowWatchBookmarks) {
      this.#sink.bookmark(shown, true)
    }
    if (backlog.length > 0 && !this.#sink.deliver(backlog)) this.close()
  }

  async #deliverInitial(present: readonly WatchItem["object"][], signal: AbortSignal): Promise<void> {
    const { sink, selection } = { sink: this.#sink, selection: this.selection }
    for (let at = 0; at < present.length;) {
      const items: WatchItem[] = []
      let bytes = 0
      for (
        const end = at + initialSlice;
        at < end && at < present.length && bytes < initialSliceBytes;
        at++
      ) {
        const object = present[at]!
        if (!selection.matches(object)) continue
        items.push({ type: "ADDED", object, event: undefined })
        bytes += object.bytes.length
      }
      if (items.length > 0 && !sink.deliver(items)) return this.close()
      const wait = sink.ready?.(signal)
      if (wait) await abortable(wait, signal)
      if (!this.#open) return
    }
  }

  #deliverEvents(events: readonly CacheEvent[]): void {
    const items: WatchItem[] = []
    for (const event of events) {
      const item = seenAs(this.selection, event)
      if (item) items.push(item)
    }
    if (items.length > 0 && !this.#sink.deliver(items)) this.close()
  }

  /** From the store's history, as far back as it reaches, up to where the cache's own begins. */
  async #deliverHistory(signal: AbortSignal): Promise<void> {
    const { cache, deps } = this.#storage
    const { store } = deps
    // Revisions of other resources are read too: the last one tells that nothing is missing.
    const stop = new AbortController()
    const onAbort = (): void => stop.abort(signal.reason)
    signal.addEventListener("abort", onAbort, { once: true })
    try {
      let reached = this.#since
      for await (const batch of store.watch({ prefix: "", from: this.#since + 1, signal: stop.signal })) {
        const events: CacheEvent[] = []
        for (const change of batch) {
          if (change.revision > deps.follower.revision) break
          reached = change.revision
          if (!change.key.startsWith(cache.prefix)) continue
          const event = cache.historicEvent(change)
          if (event) events.push(event)
        }
        this.#deliverEvents(events)
        if (!this.#open) return
        const wait = this.#sink.ready?.(signal)
        if (wait) await abortable(wait, signal)
        if (!this.#open) return
        if (reached >= cache.historySince) break
      }
      cache.watchers.add(this)
      this.#deliverEvents(cache.eventsAfter(reached))
    } finally {
      signal.removeEventListener("abort", onAbort)
      stop.abort()
    }
  }

  #bookmark(initialEventsEnd: boolean): void {
    const { revision } = this.#storage.deps.follower
    this.#sink.bookmark(Math.max(revision, this.#since), initialEventsEnd)
  }
}

function asWatchFailure(thrown: unknown, since: number): StatusError {
  if (thrown instanceof StatusError) return thrown
  if (thrown instanceof CompactedError) {
    return resourceExpired(`too old resource version: ${since} (${thrown.compactRevision})`)
  }
  return internalError(asError(thrown))
}
