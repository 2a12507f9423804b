/** Cuts what a peer sends into frames, whatever pieces it comes in. */
import { ConnectionError, errorCodes, frameHeaderBytes, preface } from "./protocol.ts"

export type OnFrame = (type: number, flag: number, streamId: number, payload: Buffer) => void

export class FrameReader {
  readonly #maxFrameBytes: number
  readonly #onFrame: OnFrame
  /** Octets of the preface that have not come. */
  #prefaceLeft = preface.length
  /** A frame whose end has not come: its head first, then all of it. */
  #partial: Buffer | undefined
  #have = 0
  #stopped = false

  /** The payloads that `onFrame` gets are parts of what was read. */
  constructor(maxFrameBytes: number, onFrame: OnFrame) {
    this.#maxFrameBytes = maxFrameBytes
    this.#onFrame = onFrame
  }

  /** What comes from now on is not looked at. */
  stop(): void {
    this.#stopped = true
    this.#partial = undefined
  }

  /** Throws a {@link ConnectionError} for what is no frame, and whatever `onFrame` throws. */
  read(chunk: Buffer): void {
    let at = this.#readPreface(chunk)
    while (at < chunk.length && !this.#stopped) {
      if (this.#partial) {
        at = this.#complete(chunk, at)
        continue
      }
      const left = chunk.length - at
      const length = left >= frameHeaderBytes ? this.#lengthOf(chunk, at) : 0
      if (left >= frameHeaderBytes + length && left >= frameHeaderBytes) {
        this.#hand(chunk, at, length)
        at += frameHeaderBytes + length
        continue
      }
      this.#partial = Buffer.allocUnsafeSlow(frameHeaderBytes + length)
      this.#have = 0
    }
  }

  #readPreface(chunk: Buffer): number {
    if (this.#prefaceLeft === 0) return 0
    const start = preface.length - this.#prefaceLeft
    const bytes = Math.min(this.#prefaceLeft, chunk.length)
    if (preface.compare(chunk, 0, bytes, start, start + bytes) !== 0)
      throw new ConnectionError(errorCodes.protocolError, "The connection does not begin as HTTP/2 does")
    this.#prefaceLeft -= bytes
    return bytes
  }

  #complete(chunk: Buffer, at: number): number {
    let partial = this.#partial!
    const copied = chunk.copy(partial, this.#have, at)
    this.#have += copied
    if (this.#have < partial.length) return at + copied
    const length = this.#lengthOf(partial, 0)
    if (partial.length < frameHeaderBytes + length) {
      // So far only the head was waited for.
      this.#partial = Buffer.allocUnsafeSlow(frameHeaderBytes + length)
      partial.copy(this.#partial)
    } else {
      this.#partial = undefined
      this.#hand(partial, 0, length)
    }
    return at + copied
  }

  #lengthOf(buffer: Buffer, at: number): number {
    const length = (buffer[at]! << 16) | (buffer[at + 1]! << 8) | buffer[at + 2]!
    if (length > this.#maxFrameBytes)
      throw new ConnectionError(errorCodes.frameSizeError, "A frame is larger than allowed")
    return length
  }

  #hand(buffer: Buffer, at: number, length: number): void {
    const streamId = buffer.readUInt32BE(at + 5) & 0x7fffffff
    const start = at + frameHeaderBytes
    this.#onFrame(buffer[at + 3]!, buffer[at + 4]!, streamId, buffer.subarray(start, start + length))
  }
}
