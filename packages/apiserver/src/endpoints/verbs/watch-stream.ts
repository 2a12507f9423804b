/**
 * Sends a watch: one line per event. The line of an event is made once, and the same buffer goes to every watch
 * of that form; several events of a batch go out in one write.
 */
import { setImmediate } from "node:timers/promises"
import type { StatusError } from "@knarr/apimachinery"
import type { ResponseStream } from "../../contract.ts"
import type { CachedObject } from "../../registry/cached-object.ts"
import type { WatchSink } from "../../registry/watch.ts"
import type { WatchItem } from "../../registry/watchers.ts"
import type { ItemEncoder } from "./item-encoder.ts"

/** Beyond this many bytes on their way, further events wait here. */
const softLimit = 2 * 1024 * 1024
/** Beyond this many waiting events the watch is too slow. */
const waitingLimit = 20_000

const head: Readonly<Record<string, Buffer>> = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
}
const tail = Buffer.from("}\n")

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

export class WatchStream implements WatchSink {
  readonly #stream: ResponseStream
  readonly #encoder: ItemEncoder
  readonly #signal: AbortSignal
  #first = true
  #waiting: WatchItem[] = []
  #draining: Promise<void> | undefined

  constructor(stream: ResponseStream, encoder: ItemEncoder, signal: AbortSignal) {
    this.#stream = stream
    this.#encoder = encoder
    this.#signal = signal
  }

  deliver(items: readonly WatchItem[]): boolean {
    if (this.#waiting.length > 0 || this.#stream.pendingBytes > softLimit) {
      if (this.#waiting.length + items.length > waitingLimit) return false
      for (const item of items) this.#waiting.push(item)
      this.#draining ??= this.#drain()
      return true
    }
    this.#write(items)
    return true
  }

  bookmark(revision: number, initialEventsEnd: boolean): void {
    // A bookmark must not overtake events.
    if (this.#waiting.length > 0 && !initialEventsEnd) return
    const metadata: Record<string, unknown> = { resourceVersion: String(revision) }
    if (initialEventsEnd) metadata.annotations = { "k8s.io/initial-events-end": "true" }
    this.#stream.write(Buffer.from(`{"type":"BOOKMARK","object":${this.#encoder.bookmark(metadata)}}\n`))
  }

  fail(error: StatusError): void {
    this.#stream.write(Buffer.from(`{"type":"ERROR","object":${JSON.stringify(error.status)}}\n`))
  }

  ready(signal: AbortSignal): Promise<void> | undefined {
    if (this.#draining) return this.#draining
    return this.#stream.pendingBytes > softLimit ? this.#stream.drained(signal) : setImmediate()
  }

  #write(items: readonly WatchItem[]): void {
    const frames: Buffer[] = []
    for (const item of items) frames.push(this.#frameOf(item))
    this.#stream.write(together(frames))
  }

  #frameOf({ type, object, event }: WatchItem): Buffer {
    const encoder = this.#encoder
    const first = encoder.firstDiffers && this.#first
    this.#first = false
    if (!event || first) return frame(type, object, encoder, first)
    return event.frame(type + encoder.key, () => frame(type, object, encoder, false))
  }

  /** Sends what waits as the connection takes it. Never rejects: the watch ends with the request's signal. */
  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#stream.drained(this.#signal)
        this.#write(this.#waiting.splice(0, 256))
      }
    } catch {
      this.#waiting = []
    }
    this.#draining = undefined
  }
}

function frame(type: string, object: CachedObject, encoder: ItemEncoder, first: boolean): Buffer {
  return Buffer.concat([head[type]!, encoder.event(object, first), tail])
}
