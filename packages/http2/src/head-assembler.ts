/** Heads of requests, put together from the frames in which they come. Mirrors: RFC 9113 §6.2 and §6.10 */
import {
  ConnectionError,
  errorCodes,
  flags,
  frameSizeError,
  maxWindowBytes,
  protocolError,
} from "./protocol.ts"

/** Takes a whole head: of a request, or behind its body. */
export type OnHead = (streamId: number, endStream: boolean, block: Buffer) => void

interface OpenHead {
  readonly streamId: number
  readonly endStream: boolean
  readonly pieces: Buffer[]
  bytes: number
}

/** Pieces of one head beyond which nobody cuts it. */
const maxPieces = 16

export class HeadAssembler {
  readonly #maxBytes: number
  readonly #onHead: OnHead
  #open: OpenHead | undefined

  constructor(maxBytes: number, onHead: OnHead) {
    this.#maxBytes = maxBytes
    this.#onHead = onHead
  }

  /** The stream whose head has begun and not ended: nothing else may come meanwhile. */
  get openStreamId(): number | undefined {
    return this.#open?.streamId
  }

  /** A HEADERS frame. Throws a {@link ConnectionError}. */
  begin(flag: number, streamId: number, payload: Buffer): void {
    let start = 0
    let end = payload.length
    if (flag & flags.padded) {
      end -= payload[0] ?? 0
      start = 1
    }
    const hasPriority = (flag & flags.priority) !== 0
    if (hasPriority) start += 5
    if (payload.length < start) throw frameSizeError()
    if (end < start) throw protocolError("Padding beyond the frame")
    // The connection's fault, not the stream's: the peer's table would not be known without this head.
    if (hasPriority && (payload.readUInt32BE(start - 5) & maxWindowBytes) === streamId)
      throw protocolError("A stream that depends on itself")
    const block = payload.subarray(start, end)
    const endStream = (flag & flags.endStream) !== 0
    if (flag & flags.endHeaders) this.#onHead(streamId, endStream, block)
    else this.#open = { streamId, endStream, pieces: [block], bytes: block.length }
  }

  /** A CONTINUATION frame. Throws a {@link ConnectionError}. */
  goOn(flag: number, payload: Buffer): void {
    const open = this.#open
    if (!open) throw protocolError("A continuation of nothing")
    open.pieces.push(payload)
    open.bytes += payload.length
    if (open.bytes > this.#maxBytes || open.pieces.length > maxPieces)
      throw new ConnectionError(errorCodes.enhanceYourCalm, "A head that does not end")
    if (!(flag & flags.endHeaders)) return
    this.#open = undefined
    this.#onHead(open.streamId, open.endStream, Buffer.concat(open.pieces, open.bytes))
  }
}
