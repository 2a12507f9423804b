/**
 * One watch of etcd on a stream of its own. What happened before the watch began is taken as slowly as its reader wants, by
 * the flow control of the connection; of what happens live a bounded number of events may wait.
 */
import { abortable, deferred, type Deferred } from "@knarr/base"
import { CompactedError, SlowWatcherError, type StoreEvent } from "../store.ts"
import type { EtcdStream } from "./etcd-client.ts"
import type { Event, WatchResponse } from "./etcd.gen.ts"

export interface EtcdWatchOptions {
  /** A stream that ends with `signal`. */
  readonly open: (signal: AbortSignal) => EtcdStream<"watch">
  readonly key: Buffer
  readonly end: Buffer
  readonly from: number
  /** How many live events may wait. */
  readonly bound: number
  readonly eventOf: (event: Event) => StoreEvent
  /** Called with each revision that was heard of, before its events are delivered. */
  readonly heard: (revision: number) => void
  readonly compacted: (revision: number) => void
}

export async function* watchEtcd(
  options: EtcdWatchOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly StoreEvent[]> {
  signal.throwIfAborted()
  const stop = new AbortController()
  const onAbort = (): void => stop.abort(signal.reason)
  signal.addEventListener("abort", onAbort, { once: true })
  const buffer = new EventBuffer(options.bound)
  const pumping = pump(options, buffer, stop.signal).catch((thrown: unknown) => buffer.fail(thrown))
  try {
    for (;;) yield await buffer.take(stop.signal)
  } finally {
    signal.removeEventListener("abort", onAbort)
    stop.abort()
    await pumping
  }
}

async function pump(options: EtcdWatchOptions, buffer: EventBuffer, signal: AbortSignal): Promise<void> {
  const { key, end, from, heard, compacted, eventOf } = options
  const stream = options.open(signal)
  stream.send({
    createRequest: { key, rangeEnd: end, startRevision: from, prevKv: true, progressNotify: true },
  })
  let liveAfter = Number.POSITIVE_INFINITY
  for (;;) {
    const response = await stream.next(signal)
    if (!response) throw new Error("Cannot watch etcd: the member ended the watch")
    if (response.canceled) throw endOf(response, from, compacted)
    const { revision = 0 } = response.header ?? {}
    heard(revision)
    if (response.created) liveAfter = revision
    const events = response.events.map(eventOf)
    if (events.length === 0) continue
    if (events[0]!.revision <= liveAfter) await buffer.addSlowly(events, signal)
    else if (!buffer.add(events)) return
  }
}

function endOf(
  { compactRevision, cancelReason }: WatchResponse,
  from: number,
  compacted: (revision: number) => void,
): Error {
  if (compactRevision === 0) return new Error(`Cannot watch etcd: ${cancelReason}`)
  compacted(compactRevision)
  return new CompactedError(from, compactRevision)
}

/** Between the stream and its reader. */
class EventBuffer {
  readonly #bound: number
  #events: StoreEvent[] = []
  #failure: { readonly thrown: unknown } | undefined
  #filled: Deferred<void> | undefined
  #emptied: Deferred<void> | undefined

  constructor(bound: number) {
    this.#bound = bound
  }

  /** False when there is no room for all: those of the first revisions are kept, and then the watch fails. */
  add(events: readonly StoreEvent[]): boolean {
    const room = this.#bound - this.#events.length
    if (this.#events.length === 0 || events.length <= room) {
      this.#push(events)
      return true
    }
    // A revision is told whole or not at all.
    const cut = events[room]!.revision
    this.#push(events.filter(({ revision }) => revision < cut))
    this.fail(new SlowWatcherError(this.#bound))
    return false
  }

  /** When what waits has been taken. */
  async addSlowly(events: readonly StoreEvent[], signal: AbortSignal): Promise<void> {
    while (this.#events.length >= this.#bound) await abortable((this.#emptied ??= deferred()).promise, signal)
    this.#push(events)
  }

  fail(thrown: unknown): void {
    this.#failure ??= { thrown }
    this.#filled?.resolve()
  }

  async take(signal: AbortSignal): Promise<readonly StoreEvent[]> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#events.length > 0) {
        const events = this.#events
        this.#events = []
        this.#emptied?.resolve()
        this.#emptied = undefined
        return events
      }
      if (this.#failure) throw this.#failure.thrown
      this.#filled = deferred()
      await abortable(this.#filled.promise, signal)
    }
  }

  #push(events: readonly StoreEvent[]): void {
    for (const event of events) this.#events.push(event)
    this.#filled?.resolve()
  }
}
