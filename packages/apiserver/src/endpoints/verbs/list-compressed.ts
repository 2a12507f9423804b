/** Sends a long list to a client that takes gzip as runs that were compressed before, as far as they have not changed. */
import { GzipJoin, type DeflatedPiece } from "@knarr/base"
import type { Exchange, ResponseStream } from "../../contract.ts"
import { CompressedRuns, endsRun } from "../../encoding/compressed-runs.ts"
import type { Encoding, ListEncoding, Presentation } from "../../encoding/encoding.ts"
import type { CachedObject } from "../../registry/cached-object.ts"
import type { KindView } from "../../registry/kind-view.ts"
import type { ListResult } from "../../registry/list.ts"
import { gzipThreshold, takesGzip } from "./answer.ts"
import { Turns } from "./list-turns.ts"

/** 32 MiB are some 150,000 pods. */
const kept = new CompressedRuns(32 * 1024 * 1024)

/** False when the list is not one that can be sent so, or too short: nothing has been sent. */
export async function sendCompressed(
  exchange: Exchange,
  encoding: Encoding,
  list: ListEncoding,
  view: KindView,
  shown: Presentation,
  result: ListResult,
): Promise<boolean> {
  const fits = shown.lasting && result.filtered && !exchange.audit?.takesResponse && takesGzip(exchange)
  if (!fits || !isLong(result.items)) return false
  const sending = new Sending(exchange, encoding, list)
  const form = `${encoding.name} ${shown.key}`
  const turns = new Turns(exchange, view, result)
  let run: CachedObject[] = []
  let bytes = 0
  for (let at = 0; at < result.items.length; at++) {
    const wait = turns.before(at)
    if (wait) await wait
    const object = result.items[at]!
    run.push(object)
    bytes += object.bytes.length
    if (at < result.items.length - 1 && !endsRun(object, run.length, bytes)) continue
    const objects = run
    await sending.add(await kept.get(form, objects, () => encoded(list, objects)), objects.length)
    run = []
    bytes = 0
  }
  return sending.end()
}

function isLong(items: readonly CachedObject[]): boolean {
  let bytes = 0
  return items.some((object) => (bytes += object.bytes.length) > gzipThreshold)
}

function encoded(list: ListEncoding, objects: readonly CachedObject[]): Buffer {
  const { separator, itemFrom } = list
  return Buffer.concat(
    objects.flatMap((object, at) => {
      const item = list.item(object).subarray(itemFrom)
      return at === 0 || separator.length === 0 ? [item] : [separator, item]
    }),
  )
}

/** One list on its way. It begins when it is known to be long enough, and how long, where its beginning says so. */
class Sending {
  readonly #exchange: Exchange
  readonly #encoding: Encoding
  readonly #list: ListEncoding
  readonly #join = new GzipJoin()
  #waiting: DeflatedPiece[] = []
  #bytes = 0
  #count = 0
  #runs = 0
  #stream: ResponseStream | undefined

  constructor(exchange: Exchange, encoding: Encoding, list: ListEncoding) {
    this.#exchange = exchange
    this.#encoding = encoding
    this.#list = list
  }

  /** A run of `count` objects. */
  async add(piece: DeflatedPiece, count: number): Promise<void> {
    this.#waiting.push(piece)
    this.#bytes += piece.length
    this.#count += count
    if (!this.#list.sized && this.#bytes > gzipThreshold) await this.#send()
  }

  /** False when there is too little to be compressed. */
  async end(): Promise<boolean> {
    if (!this.#stream && this.#bytes <= gzipThreshold) return false
    await this.#send()
    const join = this.#join
    await this.#write(join.stored(this.#list.end(this.#count)), join.end())
    this.#stream!.end()
    return true
  }

  async #send(): Promise<void> {
    const join = this.#join
    if (!this.#stream) await this.#begin()
    for (const piece of this.#waiting) {
      const before = this.#runs++ === 0 ? this.#list.open : this.#list.separator
      await this.#write(join.stored(before), join.piece(piece))
    }
    this.#waiting = []
  }

  async #begin(): Promise<void> {
    const { mediaType } = this.#encoding
    this.#exchange.setHeader("Content-Encoding", "gzip")
    this.#exchange.setHeader("Vary", "Accept-Encoding")
    this.#stream = this.#exchange.stream(200, mediaType)
    const items = this.#list.sized ? { count: this.#count, bytes: this.#bytes } : undefined
    await this.#write(this.#join.begin(), this.#join.stored(this.#list.begin(items)))
  }

  async #write(...parts: readonly Buffer[]): Promise<void> {
    if (!this.#stream!.write(Buffer.concat(parts))) await this.#stream!.drained(this.#exchange.signal)
  }
}
