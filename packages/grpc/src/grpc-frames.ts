/** How messages and texts travel in a gRPC call. Mirrors: grpc doc/PROTOCOL-HTTP2.md */

const headBytes = 5

/** `message` with its head before it. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + message.length)
  frame[0] = 0
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, headBytes)
  return frame
}

/** Puts messages together from what arrives, however it is cut. */
export class FrameReader {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #length = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Whether a part of a message waits for its rest. */
  get partial(): boolean {
    return this.#length > 0
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
  }

  /** The next whole message. Throws a RangeError for one that is compressed or larger than the bound. */
  next(): Buffer | undefined {
    if (this.#length < headBytes) return undefined
    this.#gather(headBytes)
    const head = this.#chunks[0]!
    if (head[0] !== 0) throw new RangeError("grpc: compressed flag set with identity or empty encoding")
    const size = head.readUInt32BE(1)
    if (size > this.#maxBytes)
      throw new RangeError(`grpc: received message larger than max (${size} vs. ${this.#maxBytes})`)
    const end = headBytes + size
    if (this.#length < end) return undefined
    this.#gather(end)
    const first = this.#chunks[0]!
    this.#length -= end
    if (first.length === end) this.#chunks.shift()
    else this.#chunks[0] = first.subarray(end)
    return first.subarray(headBytes, end)
  }

  /** Makes the first chunk at least `length` long. */
  #gather(length: number): void {
    if (this.#chunks[0]!.length < length) this.#chunks = [Buffer.concat(this.#chunks, this.#length)]
  }
}

/** The text of a `grpc-message` header, which is percent-encoded; what is not is taken as it is. */
export function decodeGrpcMessage(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
