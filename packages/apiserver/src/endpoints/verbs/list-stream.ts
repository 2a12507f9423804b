/**
 * Sends a list: the cached bytes of each item between a header and a footer, in slices, giving other requests
 * their turn between them. A list is never encoded as a whole.
 */
import { once } from "node:events"
import { setImmediate } from "node:timers/promises"
import { createGzip, type Gzip } from "node:zlib"
import type { Exchange, ResponseStream } from "../../contract.ts"
import type { CachedObject } from "../../registry/cached-object.ts"
import { conversionBatch } from "../../registry/converter.ts"
import { allReady, type ListResult } from "../../registry/list.ts"
import { answerValue, gzipThreshold, takesGzip } from "./answer.ts"
import type { ItemEncoder, ListMetadata } from "./item-encoder.ts"
import type { AnswerForm } from "./negotiation.ts"

const sliceBytes = 256 * 1024
/** Objects examined in one turn, when few of them match. */
const sliceObjects = 5000

/** Buffers of {@link sliceBytes} that have been sent, for the next slices: large ones are dear to allocate. */
const free: Buffer[] = []
const freeLimit = 32
const nothing: Buffer = Buffer.alloc(0)

/** Called when the bytes of `slice` have left, or have been copied: another list may write over them. */
function release(slice: Buffer): void {
  if (slice.buffer.byteLength !== sliceBytes || free.length >= freeLimit) return
  free.push(Buffer.from(slice.buffer as ArrayBuffer))
}

/** Puts pieces together in a buffer that is handed over when it is full. */
class Slice {
  #bytes: Buffer = Buffer.allocUnsafeSlow(4096)
  #used = 0

  get size(): number {
    return this.#used
  }

  addText(text: string): void {
    this.#reserve(text.length * 3)
    this.#used += this.#bytes.write(text, this.#used)
  }

  add(piece: Buffer, from: number): void {
    this.#reserve(piece.length - from)
    this.#used += piece.copy(this.#bytes, this.#used, from)
  }

  take(): Buffer {
    const out = this.#bytes.subarray(0, this.#used)
    this.#bytes = nothing
    this.#used = 0
    return out
  }

  #reserve(length: number): void {
    if (this.#used + length <= this.#bytes.length) return
    // Behind a slice comes a whole one; before it, the buffer grows in steps.
    const step = this.#bytes === nothing ? sliceBytes : Math.min(this.#bytes.length * 4, sliceBytes)
    const size = Math.max(this.#used + length, step)
    const larger = (size === sliceBytes ? free.pop() : undefined) ?? Buffer.allocUnsafeSlow(size)
    this.#bytes.copy(larger, 0, 0, this.#used)
    this.#bytes = larger
  }
}

function listMetadata(result: ListResult): ListMetadata {
  return {
    resourceVersion: String(result.revision),
    ...(result.continue === "" ? {} : { continue: result.continue }),
    ...(result.remaining ? { remainingItemCount: result.remaining } : {}),
  }
}

export async function sendList(
  exchange: Exchange,
  form: AnswerForm,
  encoder: ItemEncoder,
  result: ListResult,
): Promise<void> {
  const { items, selection, filtered } = result
  const wanted = (object: CachedObject): boolean => filtered || selection.matches(object)
  const { view, itemOpen, itemFrom } = encoder
  const comma = "," + itemOpen
  const slice = new Slice()
  slice.addText(encoder.header(listMetadata(result)))
  const whole = form.yaml || form.pretty
  let sink: Sink | undefined
  let first = true
  let examined = 0
  for (let at = 0; at < items.length; at++) {
    const object = items[at]!
    if (view.waits && at % conversionBatch === 0)
      await allReady(view, items.slice(at, at + conversionBatch), exchange.signal)
    if (++examined >= sliceObjects) {
      examined = 0
      await setImmediate()
      exchange.signal.throwIfAborted()
    }
    if (!wanted(object)) continue
    const item = encoder.item(object)
    if (!whole && slice.size + item.length > sliceBytes && slice.size > 0) {
      sink ??= openSink(exchange)
      await sink.write(slice.take())
      examined = 0
    }
    slice.addText(first ? "[" + itemOpen : comma)
    first = false
    slice.add(item, itemFrom)
  }
  slice.addText((first ? encoder.noItems : "]") + encoder.footer)
  if (sink) {
    await sink.write(slice.take())
    return sink.end()
  }
  const bytes = slice.take()
  if (whole) return answerValue(exchange, 200, form, JSON.parse(bytes.toString()))
  if (bytes.length <= gzipThreshold || !takesGzip(exchange))
    return exchange.respond(200, "application/json", bytes)
  const only = openSink(exchange)
  await only.write(bytes)
  return only.end()
}

interface Sink {
  /** Resolves when the next slice may come. */
  write(slice: Buffer): Promise<void>
  end(): Promise<void>
}

function openSink(exchange: Exchange): Sink {
  if (!takesGzip(exchange)) {
    const stream = exchange.stream(200, "application/json")
    return {
      async write(slice) {
        const done = (error?: Error | null): void => {
          if (!error) release(slice)
        }
        if (stream.write(slice, done)) await setImmediate()
        else await stream.drained(exchange.signal)
      },
      async end() {
        stream.end()
      },
    }
  }
  exchange.setHeader("Content-Encoding", "gzip")
  exchange.setHeader("Vary", "Accept-Encoding")
  return gzipSink(
    exchange,
    exchange.stream(200, "application/json"),
    createGzip({ level: 1, chunkSize: 64 * 1024 }),
  )
}

function gzipSink(exchange: Exchange, stream: ResponseStream, gzip: Gzip): Sink {
  let full = false
  gzip.on("data", (chunk: Buffer) => {
    if (!stream.write(chunk)) full = true
  })
  const onAbort = (): void => {
    gzip.destroy()
  }
  exchange.signal.addEventListener("abort", onAbort, { once: true })
  return {
    async write(slice) {
      const done = (error?: Error | null): void => {
        if (!error) release(slice)
      }
      if (!gzip.write(slice, done)) await once(gzip, "drain", { signal: exchange.signal })
      if (full) {
        full = false
        await stream.drained(exchange.signal)
      }
    },
    async end() {
      gzip.end()
      await once(gzip, "end", { signal: exchange.signal })
      exchange.signal.removeEventListener("abort", onAbort)
      stream.end()
    },
  }
}
