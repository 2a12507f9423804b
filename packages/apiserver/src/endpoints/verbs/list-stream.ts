/**
 * Sends a list: the encoded bytes of each item between a beginning and an end, in slices, giving other requests
 * their turn between them. A list is encoded as a whole only in encodings that know no pieces.
 */
import { once } from "node:events"
import { setImmediate } from "node:timers/promises"
import { createGzip, type Gzip } from "node:zlib"
import type { Exchange, ResponseStream } from "../../contract.ts"
import type { CachedObject } from "../../registry/cached-object.ts"
import {
  type Encoding,
  itemValueOf,
  type ListEncoding,
  type ListMetadata,
  type Presentation,
} from "../../encoding/encoding.ts"
import type { KindView } from "../../registry/kind-view.ts"
import { conversionBatch } from "../../registry/converter.ts"
import { allReady, type ListResult } from "../../registry/list.ts"
import { recordList } from "./recorded-list.ts"
import { answerDocument, gzipThreshold, takesGzip } from "./answer.ts"

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

function listMetadata(result: ListResult): ListMetadata {
  return {
    resourceVersion: String(result.revision),
    ...(result.continue === "" ? {} : { continue: result.continue }),
    ...(result.remaining ? { remainingItemCount: result.remaining } : {}),
  }
}

export async function sendList(
  exchange: Exchange,
  encoding: Encoding,
  view: KindView,
  shown: Presentation,
  result: ListResult,
): Promise<void> {
  const metadata = listMetadata(result)
  if (!encoding.list) return sendWhole(exchange, encoding, view, shown, result)
  const list = encoding.list(shown, metadata)
  if (list.sized) return sendSized(exchange, encoding, list, view, shown, result)
  const { open, separator, itemFrom } = list
  const pieces = new Pieces(exchange, encoding.mediaType)
  pieces.add(list.begin())
  let count = 0
  const turns = new Turns(exchange, view, result)
  const recorded = recordList(exchange, shown, metadata)
  for (let at = 0; at < result.items.length; at++) {
    const wait = turns.before(at)
    if (wait) await wait
    const object = result.items[at]!
    if (!turns.wants(object)) continue
    recorded?.add(object)
    const item = list.item(object)
    if (pieces.isFull(item)) {
      await pieces.send()
      turns.taken()
    }
    pieces.add(count++ === 0 ? open : separator)
    pieces.add(item, itemFrom)
  }
  recorded?.end()
  pieces.add(list.end(count))
  return pieces.end()
}

/** Between the items of a list: conversion, the turns of other requests, and which items are wanted. */
class Turns {
  readonly #exchange: Exchange
  readonly #view: KindView
  readonly #result: ListResult
  #examined = 0

  constructor(exchange: Exchange, view: KindView, result: ListResult) {
    this.#exchange = exchange
    this.#view = view
    this.#result = result
  }

  /** What has to be waited for before the item at `at`. Rejects when the request is over, or the conversion fails. */
  before(at: number): Promise<void> | undefined {
    const yields = ++this.#examined >= sliceObjects
    const converts = this.#view.waits && at % conversionBatch === 0
    return yields || converts ? this.#wait(at, yields, converts) : undefined
  }

  /** Others have their turn before the next item. */
  end(): void {
    this.#examined = sliceObjects
  }

  /** Others have had their turn. */
  taken(): void {
    this.#examined = 0
  }

  wants(object: CachedObject): boolean {
    return this.#result.filtered || this.#result.selection.matches(object)
  }

  async #wait(at: number, yields: boolean, converts: boolean): Promise<void> {
    const { signal } = this.#exchange
    if (yields) {
      this.taken()
      await setImmediate()
      signal.throwIfAborted()
    }
    if (converts) await allReady(this.#view, this.#result.items.slice(at, at + conversionBatch), signal)
  }
}

/** As one document. */
async function sendWhole(
  exchange: Exchange,
  encoding: Encoding,
  view: KindView,
  shown: Presentation,
  result: ListResult,
): Promise<void> {
  const { fields, itemsField, noItems } = shown.list(listMetadata(result))
  const items: object[] = []
  const turns = new Turns(exchange, view, result)
  for (let at = 0; at < result.items.length; at++) {
    const wait = turns.before(at)
    if (wait) await wait
    const object = result.items[at]!
    if (turns.wants(object)) items.push(itemValueOf(shown, object))
  }
  const document = { ...fields, [itemsField]: items.length === 0 ? noItems : items }
  return answerDocument(exchange, 200, encoding, document, shown.listType)
}

/** Of which the beginning says how long it is: items are encoded first, in turns, and sent afterwards. */
async function sendSized(
  exchange: Exchange,
  { mediaType }: Encoding,
  list: ListEncoding,
  view: KindView,
  shown: Presentation,
  result: ListResult,
): Promise<void> {
  const items: Buffer[] = []
  let bytes = 0
  let turnEnd = sliceBytes
  const turns = new Turns(exchange, view, result)
  const recorded = recordList(exchange, shown, listMetadata(result))
  for (let at = 0; at < result.items.length; at++) {
    const wait = turns.before(at)
    if (wait) await wait
    const object = result.items[at]!
    if (!turns.wants(object)) continue
    recorded?.add(object)
    const item = list.item(object)
    items.push(item)
    bytes += item.length - list.itemFrom
    if (bytes < turnEnd) continue
    turnEnd = bytes + sliceBytes
    turns.end()
  }
  recorded?.end()
  const pieces = new Pieces(exchange, mediaType)
  pieces.add(list.begin({ count: items.length, bytes }))
  for (const [at, item] of items.entries()) {
    if (pieces.isFull(item)) await pieces.send()
    pieces.add(at === 0 ? list.open : list.separator)
    pieces.add(item, list.itemFrom)
  }
  pieces.add(list.end(items.length))
  return pieces.end()
}

/** What is sent in slices; an answer of one small slice is sent whole, and says its length. */
class Pieces {
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
