/**
 * Sends a watch: one frame per event. The frame of an event is made once, and the same buffer goes to every watch
 * of that form; several events of a batch go out in one write.
 */
import { setImmediate } from "node:timers/promises"
import type { StatusError } from "@knarr/apimachinery"
import type { ResponseStream } from "../../contract.ts"
import { type Presentation, statusType, type WatchEncoding } from "../../encoding/encoding.ts"
import type { CachedObject } from "../../registry/cached-object.ts"
import type { WatchSink } from "../../registry/watch-sink.ts"
import type { WatchItem } from "../../registry/watchers.ts"
import type { WatchCounts } from "./watch-metrics.ts"

/** Beyond this many bytes on their way, further events wait here. */
const softLimit = 2 * 1024 * 1024
/** Beyond this many waiting events, or bytes of them and of what is on its way, the watch is too slow. */
const waitingLimit = 20_000
const byteLimit = 16 * 1024 * 1024
/** What waits goes out in pieces of this size. */
const sliceBytes = 256 * 1024
/** Beyond this many bytes on their way an initial list waits. */
const initialLimit = 128 * 1024

/** What all watches together have on its way or waiting. */
export class HeldBytes {
  readonly limit: number
  total = 0

  constructor(limit: number) {
    this.limit = limit
  }
}

const shared = new HeldBytes(256 * 1024 * 1024)

/** Watches of one form mostly get the same frames in one batch: these are put together once. */
let lastFrames: readonly Buffer[] = []
let lastTogether: Buffer = Buffer.alloc(0)

function together(frames: readonly Buffer[]): Buffer {
  if (frames.length === 1) return frames[0]!
  if (frames.length === lastFrames.length && frames.every((frame, i) => frame === lastFrames[i]))
    return lastTogether
  lastFrames = frames
  lastTogether = Buffer.concat(frames)
  return lastTogether
}

/** The form of a watch's events. */
export interface WatchForm {
  readonly encoding: WatchEncoding
  readonly shown: Presentation
}

export class WatchStream implements WatchSink {
  readonly #stream: ResponseStream
  readonly #form: WatchForm
  /** Frames of one form are equal. */
  readonly #key: string
  readonly #signal: AbortSignal
  readonly #held: HeldBytes
  readonly #counts: WatchCounts
  #first = true
  #waiting: WatchItem[] = []
  #draining: Promise<void> | undefined
  /** Of what waits, and of what was written and has not left. */
  #bytes = 0

  constructor(
    stream: ResponseStream,
    form: WatchForm,
    signal: AbortSignal,
    counts: WatchCounts,
    held: HeldBytes = shared,
  ) {
    this.#counts = counts
    this.#stream = stream
    this.#form = form
    this.#key = ` ${form.encoding.mediaType} ${form.shown.key}`
    this.#signal = signal
    this.#held = held
  }

  deliver(items: readonly WatchItem[]): boolean {
    let from = 0
    if (this.#waiting.length === 0 && this.#stream.pendingBytes <= softLimit) {
      from = countWithin(items, softLimit)
      this.#write(from === items.length ? items : items.slice(0, from))
      if (from === items.length) return true
    }
    let size = 0
    for (let i = from; i < items.length; i++) size += sizeOf(items[i]!)
    if (this.#waiting.length + items.length - from > waitingLimit || this.#bytes + size > byteLimit)
      return false
    // When there is no room for all, those that hold most have to go: they read least.
    if (this.#held.total + size > this.#held.limit && this.#bytes + size > sliceBytes) return false
    this.#count(size)
    for (let i = from; i < items.length; i++) this.#waiting.push(items[i]!)
    this.#draining ??= this.#drain()
    return true
  }

  bookmark(revision: number, initialEventsEnd: boolean): void {
    // A bookmark must not overtake events.
    if (this.#waiting.length > 0 && !initialEventsEnd) return
    const metadata: Record<string, unknown> = { resourceVersion: String(revision) }
    if (initialEventsEnd) metadata.annotations = { "k8s.io/initial-events-end": "true" }
    const { encoding, shown } = this.#form
    const bytes = encoding.event("BOOKMARK", shown.bookmark(metadata), shown.type)
    this.#counts.sent(bytes.length)
    if (initialEventsEnd) this.#counts.listed()
    this.#send(bytes)
  }

  fail(error: StatusError): void {
    this.#send(this.#form.encoding.event("ERROR", error.status, statusType))
  }

  ready(signal: AbortSignal): Promise<void> | undefined {
    if (this.#draining) return this.#draining
    return this.#stream.pendingBytes > initialLimit ? this.#stream.drained(signal) : setImmediate()
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#held.total += bytes
  }

  #send(bytes: Buffer): void {
    this.#count(bytes.length)
    this.#stream.write(bytes, () => this.#count(-bytes.length))
  }

  #write(items: readonly WatchItem[]): void {
    const frames: Buffer[] = []
    for (const item of items) {
      const bytes = this.#frameOf(item)
      this.#counts.sent(bytes.length)
      frames.push(bytes)
    }
    this.#send(together(frames))
  }

  #frameOf({ type, object, event }: WatchItem): Buffer {
    const { shown } = this.#form
    const first = shown.firstDiffers && this.#first
    this.#first = false
    if (!event || first) return frame(type, object, this.#form, first)
    return event.frame(type + this.#key, () => frame(type, object, this.#form, false))
  }

  /** Sends what waits as the connection takes it. Never rejects: the watch ends with the request's signal. */
  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#stream.drained(this.#signal)
        const items = this.#waiting.splice(0, countWithin(this.#waiting, sliceBytes))
        for (const item of items) this.#count(-sizeOf(item))
        this.#write(items)
      }
    } catch {
      for (const item of this.#waiting) this.#count(-sizeOf(item))
      this.#waiting = []
    }
    this.#draining = undefined
  }
}

/** How many of the first items fit into `limit` bytes; at least one. */
function countWithin(items: readonly WatchItem[], limit: number): number {
  let size = 0
  let count = 0
  while (count < items.length) {
    size += sizeOf(items[count]!)
    if (count > 0 && size > limit) break
    count++
  }
  return count
}

function sizeOf({ object }: WatchItem): number {
  return object.bytes.length
}

function frame(
  type: WatchItem["type"],
  object: CachedObject,
  { encoding, shown }: WatchForm,
  first: boolean,
): Buffer {
  return encoding.event(type, shown.event(object, first), shown.type)
}
