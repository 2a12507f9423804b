/**
 * The server's side of an HTTP/2 connection: frames to requests, answers to frames. What a peer may make it keep is
 * bounded by its settings; what costs more here than there is rationed (calm-bucket.ts), and a peer that does not read is
 * not read. Mirrors: RFC 9113
 */
import type { Duplex } from "node:stream"
import { CancelledError, asError, destroySoon, type Clock } from "@knarr/base"
import { CalmBucket } from "./calm-bucket.ts"
import { FrameReader } from "./frame-reader.ts"
import { HpackDecoder, HpackError } from "./hpack/decoder.ts"
import { encodeHead, type HeaderList } from "./hpack/encoder.ts"
import { Output } from "./output.ts"
import { PeerSettings } from "./peer-settings.ts"
import {
  ConnectionError,
  StreamError,
  defaultMaxFrameBytes,
  defaultWindowBytes,
  errorCodes,
  flags,
  frameHeaderBytes,
  frameTypes,
  goawayFrame,
  maxWindowBytes,
  numberFrame,
  settingIds,
  settingsFrame,
  smallFrame,
  writeFrameHeader,
} from "./protocol.ts"
import { RequestHead, trailerFault, type HeadLimits } from "./request-head.ts"
import { ServerStream, type StreamCarrier } from "./server-stream.ts"

export interface ServerSessionOptions {
  readonly clock: Clock
  /** Requests at once. Default 1000. */
  readonly maxConcurrentStreams?: number | undefined
  /** Octets of one request's body that may be on their way. Default 256 KiB. */
  readonly streamWindowBytes?: number | undefined
  /** … and of all requests of the connection together. Default 1 MiB. */
  readonly connectionWindowBytes?: number | undefined
  /** Octets of a request's head; a longer one is answered with 431. Default 64 KiB. */
  readonly maxHeaderBytes?: number | undefined
  /** Default 256. */
  readonly maxHeaderFields?: number | undefined
  /** How long a connection stays on which nothing is asked, in milliseconds. Default 180,000. */
  readonly idleMs?: number | undefined
  /** Must not throw. */
  onStream(stream: ServerStream): void
  /** The connection is over; `error`: why it was broken off here. */
  onClose?(error: Error | undefined): void
}

/** A head whose last piece has not come. */
interface OpenBlock {
  readonly streamId: number
  readonly endStream: boolean
  readonly pieces: Buffer[]
  bytes: number
}

let date = { second: -1, text: "" }

/** Pieces of one head beyond which nobody cuts it. */
const maxHeadPieces = 16
/** A peer that does not read is not read when so much waits for it. */
const maxWaitingBytes = 256 * 1024
/** Streams that were reset here, for what was on its way already. */
const rememberedResets = 256

export class ServerSession implements StreamCarrier {
  readonly socket: Duplex
  readonly #options: ServerSessionOptions
  readonly #limits: HeadLimits
  readonly #streamWindow: number
  readonly #maxStreams: number
  readonly #idleMs: number
  readonly #reader: FrameReader
  readonly #decoder = new HpackDecoder()
  readonly #output: Output
  readonly #peer = new PeerSettings()
  readonly #calm: CalmBucket
  readonly #streams = new Map<number, ServerStream>()
  /** Those that have something to send, and room for it; the first is next. */
  readonly #ready = new Set<ServerStream>()
  /** Those whose answer has ended, until that is on its way. */
  readonly #answered = new Set<ServerStream>()
  readonly #resets = new Set<number>()
  #block: OpenBlock | undefined
  #lastStreamId = 0
  #sendWindow = defaultWindowBytes
  #receiveWindow: number
  #unreleased = 0
  readonly #connectionWindow: number
  #headSent = false
  #closing = false
  #over = false
  #quietSince: number
  #idleTimer: Disposable | undefined

  constructor(socket: Duplex, options: ServerSessionOptions) {
    this.socket = socket
    this.#options = options
    this.#limits = { maxBytes: options.maxHeaderBytes ?? 65_536, maxFields: options.maxHeaderFields ?? 256 }
    this.#streamWindow = options.streamWindowBytes ?? 262_144
    this.#connectionWindow = options.connectionWindowBytes ?? 1_048_576
    this.#receiveWindow = this.#connectionWindow
    this.#maxStreams = options.maxConcurrentStreams ?? 1000
    this.#idleMs = options.idleMs ?? 180_000
    this.#quietSince = options.clock.monotonic()
    this.#calm = new CalmBucket(options.clock)
    this.#reader = new FrameReader(defaultMaxFrameBytes, (type, flag, id, payload) =>
      this.#onFrame(type, flag, id, payload),
    )
    this.#output = new Output(socket, (room) => this.#pump(room))
    this.#output.onDrain = () => socket.resume()
    this.#output.add(
      settingsFrame([
        [settingIds.maxConcurrentStreams, this.#maxStreams],
        [settingIds.initialWindowSize, this.#streamWindow],
        [settingIds.maxHeaderListSize, this.#limits.maxBytes],
      ]),
    )
    this.#output.add(numberFrame(frameTypes.windowUpdate, 0, this.#connectionWindow - defaultWindowBytes))
    this.#watchIdle(this.#idleMs)
    socket.on("data", (chunk: Buffer) => this.#onData(chunk))
    socket.on("error", (error) => this.#end(error))
    socket.on("close", () => this.#end(undefined))
    socket.on("end", () => this.#end(undefined))
  }

  /** Requests that are not over. */
  get openStreams(): number {
    return this.#streams.size
  }

  /** Asks the peer to use another connection for what it asks next; what it asks here is still answered. */
  sendAway(): void {
    this.#output.add(goawayFrame(maxWindowBytes, errorCodes.noError, ""))
  }

  /** Takes no further requests, and ends the connection after those that are open. */
  close(): void {
    if (this.#closing || this.#over) return
    this.#closing = true
    this.#output.add(goawayFrame(this.#lastStreamId, errorCodes.noError, ""))
    this.#endWhenDone()
  }

  /** Ends the connection now. */
  destroy(): void {
    this.socket.destroy()
    this.#end(undefined)
  }

  sendHead(stream: ServerStream, status: number, headers: HeaderList, end: boolean): void {
    const block = encodeHead(status, headers, this.#date(), !this.#headSent)
    this.#headSent = true
    const length = block.length - frameHeaderBytes
    const most = this.#peer.maxFrameBytes
    const endFlag = end ? flags.endStream : 0
    if (length <= most) {
      writeFrameHeader(block, 0, length, frameTypes.headers, flags.endHeaders | endFlag, stream.id)
      this.#output.add(block)
    } else
      for (let at = 0; at < length; at += most) {
        const piece = block.subarray(frameHeaderBytes + at, frameHeaderBytes + Math.min(at + most, length))
        const last = at + most >= length ? flags.endHeaders : 0
        this.#output.add(
          at === 0
            ? smallFrame(frameTypes.headers, endFlag, stream.id, piece)
            : smallFrame(frameTypes.continuation, last, stream.id, piece),
        )
      }
    if (!end) return
    this.#answered.add(stream)
    this.#output.schedule()
  }

  queue(stream: ServerStream): void {
    if (!stream.sendable) return
    this.#ready.add(stream)
    this.#output.schedule()
  }

  sendReset(stream: ServerStream, code: number): void {
    this.#reset(stream.id, code)
    this.#forget(stream)
  }

  release(stream: ServerStream, bytes: number): void {
    if (bytes === 0) return
    this.#releaseConnection(bytes)
    if (stream.closed || stream.requestEnded || stream.answerEnded) return
    stream.unreleased += bytes
    if (stream.unreleased < this.#streamWindow / 4) return
    this.#output.add(numberFrame(frameTypes.windowUpdate, stream.id, stream.unreleased))
    stream.receiveWindow += stream.unreleased
    stream.unreleased = 0
  }

  /** Now, to the second, as the header says it. */
  #date(): string {
    const now = this.#options.clock.now()
    const second = now - (now % 1000)
    if (date.second !== second) date = { second, text: new Date(second).toUTCString() }
    return date.text
  }

  #releaseConnection(bytes: number): void {
    this.#unreleased += bytes
    if (this.#unreleased < this.#connectionWindow / 4) return
    this.#output.add(numberFrame(frameTypes.windowUpdate, 0, this.#unreleased))
    this.#receiveWindow += this.#unreleased
    this.#unreleased = 0
  }

  #onData(chunk: Buffer): void {
    if (this.#over) return
    try {
      this.#reader.read(chunk)
    } catch (thrown) {
      const error = asError(thrown)
      this.#fail(error instanceof HpackError ? errorCodes.compressionError : codeOf(error), error)
    }
    if (this.#output.waitingBytes > maxWaitingBytes) this.socket.pause()
  }

  #onFrame(type: number, flag: number, id: number, payload: Buffer): void {
    if (this.#block && (type !== frameTypes.continuation || id !== this.#block.streamId))
      throw protocolError("A head is not complete")
    try {
      switch (type) {
        case frameTypes.data:
          return this.#onDataFrame(flag, id, payload)
        case frameTypes.headers:
          return this.#onHeaders(flag, id, payload)
        case frameTypes.continuation:
          return this.#onContinuation(flag, payload)
        case frameTypes.rstStream:
          return this.#onReset(id, payload)
        case frameTypes.settings:
          return this.#onSettings(flag, id, payload)
        case frameTypes.ping:
          return this.#onPing(flag, id, payload)
        case frameTypes.windowUpdate:
          return this.#onWindowUpdate(id, payload)
        case frameTypes.priority:
          return this.#onPriority(id, payload)
        case frameTypes.goaway:
          if (id !== 0) throw protocolError("A GOAWAY on a stream")
          if (payload.length < 8) throw frameSizeError()
          return undefined
        case frameTypes.pushPromise:
          throw protocolError("A promise of a client")
        default:
          return undefined
      }
    } catch (thrown) {
      if (!(thrown instanceof StreamError)) throw thrown
      this.#requireCalm()
      const stream = this.#streams.get(thrown.streamId)
      if (stream) this.#forget(stream)
      this.#reset(thrown.streamId, thrown.code)
      stream?.close(thrown)
    }
  }

  #onHeaders(flag: number, id: number, payload: Buffer): void {
    if ((id & 1) === 0) throw protocolError("A request on a stream that is not the client's")
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
    if (hasPriority && (payload.readUInt32BE(start - 5) & maxWindowBytes) === id)
      throw new StreamError(id, errorCodes.protocolError, "A stream that depends on itself")
    const known = this.#streams.get(id)
    if (known?.requestEnded)
      throw new ConnectionError(errorCodes.streamClosed, "A head behind a request's end")
    if (!known && id <= this.#lastStreamId && !this.#resets.has(id))
      throw new ConnectionError(errorCodes.streamClosed, "A head on a stream that is over")
    const block = payload.subarray(start, end)
    const endStream = (flag & flags.endStream) !== 0
    if (flag & flags.endHeaders) this.#onHead(id, endStream, block)
    else this.#block = { streamId: id, endStream, pieces: [block], bytes: block.length }
  }

  #onContinuation(flag: number, payload: Buffer): void {
    const block = this.#block
    if (!block) throw protocolError("A continuation of nothing")
    block.pieces.push(payload)
    block.bytes += payload.length
    // The peer's table would no longer be known if part of it were left out.
    if (block.bytes > this.#limits.maxBytes * 2 || block.pieces.length > maxHeadPieces)
      throw new ConnectionError(errorCodes.enhanceYourCalm, "A head that does not end")
    if (!(flag & flags.endHeaders)) return
    this.#block = undefined
    this.#onHead(block.streamId, block.endStream, Buffer.concat(block.pieces, block.bytes))
  }

  #onHead(id: number, endStream: boolean, block: Buffer): void {
    const known = this.#streams.get(id)
    if (known || id <= this.#lastStreamId) return this.#onTrailers(id, known, endStream, block)
    this.#lastStreamId = id
    const head = new RequestHead(this.#limits)
    this.#decoder.decode(block, (name, value) => head.add(name, value))
    head.end()
    if (this.#closing) return this.#refuse(id)
    if (this.#streams.size >= this.#maxStreams) {
      this.#requireCalm()
      return this.#refuse(id)
    }
    if (endStream && (head.contentLength ?? 0) > 0) head.fault ??= "A body that was announced does not come"
    if (head.fault !== undefined && !head.tooLarge)
      throw new StreamError(id, errorCodes.protocolError, head.fault)
    const stream = new ServerStream(id, head, endStream, this, {
      receive: this.#streamWindow,
      send: this.#peer.initialWindowBytes,
    })
    this.#streams.set(id, stream)
    if (!head.tooLarge) return this.#options.onStream(stream)
    this.#requireCalm()
    stream.respond(431, ["content-type", "text/plain; charset=utf-8"])
    stream.end(Buffer.from("431 Request Header Fields Too Large"))
  }

  #onTrailers(id: number, stream: ServerStream | undefined, endStream: boolean, block: Buffer): void {
    let fault = endStream ? undefined : "A second head that is not the last"
    this.#decoder.decode(block, (name, value) => (fault ??= trailerFault(name, value)))
    if (!stream) return
    if (fault !== undefined) throw new StreamError(id, errorCodes.protocolError, fault)
    this.#take(stream, Buffer.alloc(0), true)
  }

  #onDataFrame(flag: number, id: number, payload: Buffer): void {
    if (id === 0 || id > this.#lastStreamId) throw protocolError("A body of no request")
    const padding = flag & flags.padded ? (payload[0] ?? 0) + 1 : 0
    if (padding > payload.length) throw protocolError("Padding beyond the frame")
    if (payload.length > this.#receiveWindow)
      throw new ConnectionError(errorCodes.flowControlError, "More was sent than allowed")
    this.#receiveWindow -= payload.length
    const stream = this.#streams.get(id)
    if (!stream || stream.requestEnded) {
      this.#releaseConnection(payload.length)
      if (!stream && this.#resets.has(id)) return
      throw new StreamError(id, errorCodes.streamClosed, "A body behind a request's end")
    }
    if (payload.length > stream.receiveWindow) {
      this.#releaseConnection(payload.length)
      throw new StreamError(id, errorCodes.flowControlError, "More was sent than allowed")
    }
    stream.receiveWindow -= payload.length
    this.release(stream, padding)
    const bytes = padding === 0 ? payload : payload.subarray(1, payload.length - padding + 1)
    // A copy: the piece would keep alive all that was read with it.
    this.#take(stream, Buffer.from(bytes), (flag & flags.endStream) !== 0)
  }

  #take(stream: ServerStream, bytes: Buffer, end: boolean): void {
    const fault = stream.received(bytes, end)
    if (fault !== undefined) throw new StreamError(stream.id, errorCodes.protocolError, fault)
  }

  #onReset(id: number, payload: Buffer): void {
    if (id === 0 || id > this.#lastStreamId) throw protocolError("A reset of no request")
    if (payload.length !== 4) throw frameSizeError()
    const stream = this.#streams.get(id)
    if (!stream) return
    this.#requireCalm()
    this.#forget(stream)
    stream.close(new CancelledError("The request"))
  }

  #onSettings(flag: number, id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError("Settings of a stream")
    if (flag & flags.ack) {
      if (payload.length > 0) throw frameSizeError()
      return
    }
    const grown = this.#peer.read(payload)
    this.#output.add(smallFrame(frameTypes.settings, flags.ack, 0, Buffer.alloc(0)))
    if (grown === 0) return
    for (const stream of this.#streams.values()) {
      if (stream.sendWindow + grown > maxWindowBytes)
        throw new ConnectionError(errorCodes.flowControlError, "A window that is too large")
      stream.sendWindow += grown
      this.queue(stream)
    }
  }

  #onPing(flag: number, id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError("A ping of a stream")
    if (payload.length !== 8) throw frameSizeError()
    if (!(flag & flags.ack)) this.#output.add(smallFrame(frameTypes.ping, flags.ack, 0, payload))
  }

  #onPriority(id: number, payload: Buffer): void {
    if (id === 0) throw protocolError("A priority of no stream")
    if (payload.length !== 5)
      throw new StreamError(id, errorCodes.frameSizeError, "A priority of another length")
    if ((payload.readUInt32BE(0) & maxWindowBytes) === id)
      throw new StreamError(id, errorCodes.protocolError, "A stream that depends on itself")
  }

  #onWindowUpdate(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw frameSizeError()
    if (id > this.#lastStreamId) throw protocolError("A window of no request")
    const bytes = payload.readUInt32BE(0) & maxWindowBytes
    if (id === 0) {
      if (bytes === 0) throw protocolError("A window that does not grow")
      this.#sendWindow += bytes
      if (this.#sendWindow > maxWindowBytes)
        throw new ConnectionError(errorCodes.flowControlError, "A window that is too large")
      return this.#output.schedule()
    }
    const stream = this.#streams.get(id)
    if (!stream) return
    if (bytes === 0) throw new StreamError(id, errorCodes.protocolError, "A window that does not grow")
    stream.sendWindow += bytes
    if (stream.sendWindow > maxWindowBytes)
      throw new StreamError(id, errorCodes.flowControlError, "A window that is too large")
    this.queue(stream)
  }

  /** Sends what streams have, a frame of each in turn. */
  #pump(room: number): void {
    this.#sendReady(room)
    for (const stream of this.#answered) {
      // An answer is there before the request's end: what is left of the body is not wanted.
      if (!stream.requestEnded) this.#reset(stream.id, errorCodes.noError)
      this.#forget(stream)
      stream.close()
    }
  }

  #sendReady(room: number): void {
    while (room > 0) {
      const [stream] = this.#ready
      if (!stream) return
      this.#ready.delete(stream)
      if (!stream.sendable) continue
      const most = Math.min(this.#peer.maxFrameBytes, room, stream.sendWindow, this.#sendWindow)
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
    this.#sendWindow -= length
    this.#output.add(head)
    const end = stream.pull(
      length,
      (bytes) => this.#output.add(bytes),
      (done) => this.#output.whenCopied(done),
    )
    writeFrameHeader(head, 0, length, frameTypes.data, end ? flags.endStream : 0, stream.id)
    return length
  }

  #forget(stream: ServerStream): void {
    this.#streams.delete(stream.id)
    this.#ready.delete(stream)
    this.#answered.delete(stream)
    if (this.#streams.size > 0) return
    this.#quietSince = this.#options.clock.monotonic()
    this.#endWhenDone()
  }

  #refuse(id: number): void {
    this.#reset(id, errorCodes.refusedStream)
  }

  #reset(id: number, code: number): void {
    this.#output.add(numberFrame(frameTypes.rstStream, id, code))
    this.#resets.add(id)
    if (this.#resets.size <= rememberedResets) return
    const [oldest] = this.#resets
    this.#resets.delete(oldest!)
  }

  #requireCalm(): void {
    if (!this.#calm.take()) throw new ConnectionError(errorCodes.enhanceYourCalm, "Too many resets")
  }

  #watchIdle(ms: number): void {
    const { clock } = this.#options
    this.#idleTimer = clock.timer(ms, () => {
      const left = this.#idleMs - (clock.monotonic() - this.#quietSince)
      if (this.#streams.size > 0) this.#watchIdle(this.#idleMs)
      else if (left > 0) this.#watchIdle(left)
      else if (this.#closing) this.destroy()
      else {
        this.close()
        // A peer that does not even take its leave.
        this.#watchIdle(this.#idleMs)
      }
    })
  }

  #endWhenDone(): void {
    if (!this.#closing || this.#streams.size > 0 || this.#over) return
    this.#output.flush()
    destroySoon(this.socket)
  }

  #fail(code: number, error: Error): void {
    if (this.#over) return
    this.#output.add(goawayFrame(this.#lastStreamId, code, error.message))
    this.#output.flush()
    destroySoon(this.socket)
    this.#end(error)
  }

  #end(error: Error | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#reader.stop()
    this.#idleTimer?.[Symbol.dispose]()
    const reason = error ?? new CancelledError("The connection")
    this.#output.abandon(reason)
    const streams = [...this.#streams.values()]
    this.#streams.clear()
    this.#ready.clear()
    this.#answered.clear()
    for (const stream of streams) stream.close(reason)
    this.#options.onClose?.(error)
  }
}

function protocolError(message: string): ConnectionError {
  return new ConnectionError(errorCodes.protocolError, message)
}

function frameSizeError(): ConnectionError {
  return new ConnectionError(errorCodes.frameSizeError, "A frame of another length")
}

function codeOf(error: Error): number {
  return error instanceof ConnectionError ? error.code : errorCodes.internalError
}
