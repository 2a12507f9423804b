/** What a connection sends: heads at once, bodies as far as windows reach, a frame of each stream in turn. */
import type { Duplex } from "node:stream"
import type { Clock } from "@knarr/base"
import { encodeHead, type HeaderList } from "./hpack/encoder.ts"
import { Output } from "./output.ts"
import { PeerSettings } from "./peer-settings.ts"
import {
  ConnectionError,
  StreamError,
  defaultWindowBytes,
  errorCodes,
  flags,
  frameHeaderBytes,
  frameTypes,
  maxWindowBytes,
  protocolError,
  smallFrame,
  writeFrameHeader,
} from "./protocol.ts"
import type { ServerStream } from "./server-stream.ts"

let date = { second: -1, text: "" }

export class Sender {
  readonly #clock: Clock
  readonly #output: Output
  readonly #peer = new PeerSettings()
  readonly #onAnswered: (stream: ServerStream) => void
  /** Those that have something to send, and room for it; the first is next. */
  readonly #ready = new Set<ServerStream>()
  /** Those whose answer has ended, until that is on its way. */
  readonly #answered = new Set<ServerStream>()
  #window = defaultWindowBytes
  #headSent = false

  /** `onAnswered` is told of each stream whose answer is on its way, and may send frames. */
  constructor(socket: Duplex, clock: Clock, onAnswered: (stream: ServerStream) => void) {
    this.#clock = clock
    this.#onAnswered = onAnswered
    this.#output = new Output(socket, (room) => this.#pump(room))
    this.#output.onDrain = () => socket.resume()
  }

  /** What the peer lets a new stream send. */
  get initialWindowBytes(): number {
    return this.#peer.initialWindowBytes
  }

  /** Octets that wait for a peer that does not read. */
  get waitingBytes(): number {
    return this.#output.waitingBytes
  }

  /** Sends a frame that no window bounds. */
  send(frame: Buffer): void {
    this.#output.add(frame)
  }

  sendHead(stream: ServerStream, status: number, headers: HeaderList, end: boolean): void {
    const block = encodeHead(status, headers, this.#date(), !this.#headSent)
    this.#headSent = true
    const length = block.length - frameHeaderBytes
    const endFlag = end ? flags.endStream : 0
    if (length > this.#peer.maxFrameBytes)
      this.#sendLongHead(stream.id, block.subarray(frameHeaderBytes), endFlag)
    else {
      writeFrameHeader(block, 0, length, frameTypes.headers, flags.endHeaders | endFlag, stream.id)
      this.#output.add(block)
    }
    if (!end) return
    this.#answered.add(stream)
    this.#output.schedule()
  }

  #sendLongHead(streamId: number, block: Buffer, endFlag: number): void {
    const most = this.#peer.maxFrameBytes
    for (let at = 0; at < block.length; at += most) {
      const piece = block.subarray(at, at + most)
      const last = at + most >= block.length ? flags.endHeaders : 0
      this.#output.add(
        at === 0
          ? smallFrame(frameTypes.headers, endFlag, streamId, piece)
          : smallFrame(frameTypes.continuation, last, streamId, piece),
      )
    }
  }

  /** The stream has more to send. */
  queue(stream: ServerStream): void {
    if (!stream.sendable) return
    this.#ready.add(stream)
    this.#output.schedule()
  }

  /** Nothing more is sent of the stream. */
  forget(stream: ServerStream): void {
    this.#ready.delete(stream)
    this.#answered.delete(stream)
  }

  /** The peer's settings. Throws a {@link ConnectionError}. */
  readSettings(payload: Buffer, streams: Iterable<ServerStream>): void {
    const grown = this.#peer.read(payload)
    this.#output.add(smallFrame(frameTypes.settings, flags.ack, 0, Buffer.alloc(0)))
    if (grown === 0) return
    for (const stream of streams) {
      if (stream.sendWindow + grown > maxWindowBytes) throw windowTooLarge()
      stream.sendWindow += grown
      this.queue(stream)
    }
  }

  /** The peer takes so many octets more. Throws a {@link ConnectionError}. */
  widen(bytes: number): void {
    if (bytes === 0) throw protocolError("A window that does not grow")
    this.#window += bytes
    if (this.#window > maxWindowBytes) throw windowTooLarge()
    this.#output.schedule()
  }

  /** The peer takes so many octets more of a stream. Throws a {@link StreamError}. */
  widenStream(stream: ServerStream, bytes: number): void {
    if (bytes === 0) throw new StreamError(stream.id, errorCodes.protocolError, "A window that does not grow")
    stream.sendWindow += bytes
    if (stream.sendWindow > maxWindowBytes)
      throw new StreamError(stream.id, errorCodes.flowControlError, "A window that is too large")
    this.queue(stream)
  }

  /** Writes what can be written, now. */
  flush(): void {
    this.#output.flush()
  }

  /** The socket is gone. */
  abandon(reason: Error): void {
    this.#output.abandon(reason)
    this.#ready.clear()
    this.#answered.clear()
  }

  #pump(room: number): void {
    this.#sendReady(room)
    for (const stream of this.#answered) this.#onAnswered(stream)
  }

  #sendReady(room: number): void {
    while (room > 0) {
      const [stream] = this.#ready
      if (!stream) return
      this.#ready.delete(stream)
      if (!stream.sendable) continue
      const most = Math.min(this.#peer.maxFrameBytes, room, stream.sendWindow, this.#window)
      if (most <= 0 && stream.pendingBytes > 0) return void this.#ready.add(stream)
      room -= this.#sendData(stream, Math.max(most, 0)) + frameHeaderBytes
      if (stream.answerEnded) this.#answered.add(stream)
      else if (stream.sendable) this.#ready.add(stream)
      stream.drained()
    }
  }

  #sendData(stream: ServerStream, most: number): number {
    const length = Math.min(most, stream.pendingBytes)
    const head = Buffer.allocUnsafe(frameHeaderBytes)
    this.#window -= length
    this.#output.add(head)
    const end = stream.pull(
      length,
      (bytes) => this.#output.add(bytes),
      (done) => this.#output.whenCopied(done),
    )
    writeFrameHeader(head, 0, length, frameTypes.data, end ? flags.endStream : 0, stream.id)
    return length
  }

  /** Now, to the second, as the header says it. */
  #date(): string {
    const now = this.#clock.now()
    const second = now - (now % 1000)
    if (date.second !== second) date = { second, text: new Date(second).toUTCString() }
    return date.text
  }
}

function windowTooLarge(): ConnectionError {
  return new ConnectionError(errorCodes.flowControlError, "A window that is too large")
}
