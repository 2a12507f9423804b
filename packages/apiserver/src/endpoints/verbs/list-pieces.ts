/** The pieces of a list on their way: put together in slices, compressed where the client takes that, and sent. */
import { once } from "node:events"
import { setImmediate } from "node:timers/promises"
import { createGzip, type Gzip } from "node:zlib"
import type { Exchange, ResponseStream } from "../../contract.ts"
import { gzipThreshold, takesGzip } from "./answer.ts"

export const sliceBytes = 256 * 1024
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

  add(piece: Buffer, from = 0): void {
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

/** What is sent in slices; an answer of one small slice is sent whole, and says its length. */
export class Pieces {
  readonly #exchange: Exchange
  readonly #mediaType: string
  readonly #slice = new Slice()
  #sink: Sink | undefined

  constructor(exchange: Exchange, mediaType: string) {
    this.#exchange = exchange
    this.#mediaType = mediaType
  }

  /** Whether what there is has to be sent before `piece` is added. */
  isFull(piece: Buffer): boolean {
    return this.#slice.size + piece.length > sliceBytes && this.#slice.size > 0
  }

  add(piece: Buffer, from = 0): void {
    this.#slice.add(piece, from)
  }

  async send(): Promise<void> {
    this.#sink ??= openSink(this.#exchange, this.#mediaType)
    await this.#sink.write(this.#slice.take())
  }

  async end(): Promise<void> {
    const { size } = this.#slice
    if (!this.#sink && (size <= gzipThreshold || !takesGzip(this.#exchange)))
      return this.#exchange.respond(200, this.#mediaType, this.#slice.take())
    await this.send()
    return this.#sink!.end()
  }
}

interface Sink {
  /** Resolves when the next slice may come. */
  write(slice: Buffer): Promise<void>
  end(): Promise<void>
}

function openSink(exchange: Exchange, mediaType: string): Sink {
  if (!takesGzip(exchange)) {
    const stream = exchange.stream(200, mediaType)
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
  return gzipSink(exchange, exchange.stream(200, mediaType), createGzip({ level: 1, chunkSize: 64 * 1024 }))
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
