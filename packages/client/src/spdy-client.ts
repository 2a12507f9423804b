/**
 * The client's side of SPDY/3.1, as much as exec and attach need: open streams, write, read, end. Header blocks
 * are sent as stored (uncompressed) deflate blocks, and those received are not needed. Like Go's library it
 * keeps no flow-control windows: the socket's own back-pressure is all there is.
 */
import type { Duplex } from "node:stream"

/** What arrives from the peer, per stream. */
export interface SpdyHandler {
  data(streamId: number, chunk: Buffer): void
  /** The peer will send no more on this stream. */
  ended(streamId: number): void
  /** The connection is over; `error` unless it ended in order. */
  closed(error: Error | undefined): void
}

const controlBit = 0x80
const version = 3
const typeSynStream = 1
const typeRstStream = 3
const typePing = 6
const typeGoAway = 7
const flagFin = 1
const maxFrameBytes = 16 * 1024 * 1024

export class SpdyClient {
  readonly #socket: Duplex
  readonly #handler: SpdyHandler
  #pending: Buffer[] = []
  #pendingBytes = 0
  #needed = 8
  #nextStream = 1
  #firstBlock = true
  #done = false

  /** `head`: what has been read behind the upgrade's answer. */
  constructor(socket: Duplex, head: Buffer, handler: SpdyHandler) {
    this.#socket = socket
    this.#handler = handler
    socket.on("data", (chunk: Buffer) => this.#receive(chunk))
    socket.on("error", (error) => this.#close(error))
    socket.on("close", () => this.#close(undefined))
    socket.on("end", () => this.#close(undefined))
    if (head.length > 0) this.#receive(head)
  }

  /** Opens a stream; answers its number. */
  open(headers: Readonly<Record<string, string>>): number {
    const id = this.#nextStream
    this.#nextStream += 2
    const block = this.#headerBlock(headers)
    const frame = Buffer.alloc(18 + block.length)
    frame.writeUInt16BE(0x8000 | version, 0)
    frame.writeUInt16BE(typeSynStream, 2)
    frame.writeUInt32BE(10 + block.length, 4)
    frame.writeUInt32BE(id, 8)
    block.copy(frame, 18)
    this.#socket.write(frame)
    return id
  }

  /** False when the socket does not keep up: wait for its `drain`. */
  write(streamId: number, chunk: Buffer): boolean {
    this.#socket.write(dataHead(streamId, 0, chunk.length))
    return this.#socket.write(chunk)
  }

  /** No more will be written to this stream. */
  end(streamId: number): void {
    this.#socket.write(dataHead(streamId, flagFin, 0))
  }

  /** Stops and resumes reading. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Calls `fn` when the socket can take more. */
  onceDrained(fn: () => void): void {
    this.#socket.once("drain", fn)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Pairs of length-prefixed names and values, in one stored block behind the zlib header. */
  #headerBlock(headers: Readonly<Record<string, string>>): Buffer {
    const parts: Buffer[] = []
    const word = (value: number): void => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(value)
      parts.push(bytes)
    }
    const names = Object.keys(headers)
    word(names.length)
    for (const name of names) {
      for (const text of [name.toLowerCase(), headers[name]!]) {
        const bytes = Buffer.from(text, "utf8")
        word(bytes.length)
        parts.push(bytes)
      }
    }
    const plain = Buffer.concat(parts)
    const head = Buffer.alloc(5)
    head.writeUInt16LE(plain.length, 1)
    head.writeUInt16LE(0xffff - plain.length, 3)
    const flush = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff])
    const zlib = this.#firstBlock ? Buffer.from([0x78, 0x01]) : Buffer.alloc(0)
    this.#firstBlock = false
    return Buffer.concat([zlib, head, plain, flush])
  }

  #receive(chunk: Buffer): void {
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.length
    if (this.#pendingBytes < this.#needed) return
    let buffer = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending)
    while (buffer.length >= 8) {
      const length = buffer.readUIntBE(5, 3)
      if (length > maxFrameBytes) return this.#fail(new Error(`A SPDY frame of ${length} bytes is too long`))
      if (buffer.length < 8 + length) break
      this.#frame(buffer, length)
      if (this.#done) return
      buffer = buffer.subarray(8 + length)
    }
    this.#needed = buffer.length >= 8 ? 8 + buffer.readUIntBE(5, 3) : 8
    this.#pending = buffer.length === 0 ? [] : [buffer]
    this.#pendingBytes = buffer.length
  }

  #frame(buffer: Buffer, length: number): void {
    const flags = buffer[4]!
    if ((buffer[0]! & controlBit) === 0) {
      const id = buffer.readUInt32BE(0)
      if (length > 0) this.#handler.data(id, buffer.subarray(8, 8 + length))
      if (flags & flagFin) this.#handler.ended(id)
      return
    }
    const type = buffer.readUInt16BE(2)
    if (type === typePing && length === 4) {
      // A ping with an even number is the server's: it goes back as it came.
      if ((buffer.readUInt32BE(8) & 1) === 0) this.#socket.write(Buffer.from(buffer.subarray(0, 12)))
    } else if (type === typeRstStream && length >= 4) {
      this.#handler.ended(buffer.readUInt32BE(8) & 0x7fffffff)
    } else if (type === typeGoAway) {
      // Open streams go on to their end.
    } else if (length >= 4 && flags & flagFin) {
      // A reply that is also the end of its stream.
      this.#handler.ended(buffer.readUInt32BE(8) & 0x7fffffff)
    }
  }

  #fail(error: Error): void {
    this.#close(error)
    this.#socket.destroy()
  }

  #close(error: Error | undefined): void {
    if (this.#done) return
    this.#done = true
    this.#handler.closed(error)
  }
}

function dataHead(streamId: number, flags: number, length: number): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(streamId, 0)
  head.writeUInt32BE((flags << 24) | length, 4)
  return head
}
