/**
 * The server's side of an HTTP/2 connection: frames to requests, answers to frames. What a peer may make it keep is
 * bounded by its settings; what costs more here than there is rationed, and a peer that does not read is
 * not read. Mirrors: RFC 9113
 */
import type { Duplex } from "node:stream"
import { CancelledError, TokenBucket, asError, destroySoon, type Clock } from "@knarr/base"
import { FrameReader } from "./frame-reader.ts"
import { HeadAssembler } from "./head-assembler.ts"
import { HpackDecoder, HpackError } from "./hpack/decoder.ts"
import type { HeaderList } from "./hpack/encoder.ts"
import {
  ConnectionError,
  StreamError,
  defaultMaxFrameBytes,
  defaultWindowBytes,
  errorCodes,
  flags,
  frameSizeError,
  frameTypes,
  goawayFrame,
  maxWindowBytes,
  numberFrame,
  protocolError,
  settingIds,
  settingsFrame,
  smallFrame,
} from "./protocol.ts"
import { ReceiveWindows } from "./receive-windows.ts"
import { RequestHead, Trailers, type HeadLimits } from "./request-head.ts"
import { Sender } from "./sender.ts"
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
  /**
   * How long a connection stays on which nothing is asked, in milliseconds, and at least how long an answer that is not
   * taken. Default 180,000.
   */
  readonly idleMs?: number | undefined
  /** Must not throw. */
  onStream(stream: ServerStream): void
  /** The connection is over; `error`: why it was broken off here. */
  onClose?(error: Error | undefined): void
}

/** How often a peer may do what costs more here than there: as nghttp2 bounds resets. */
const calmBurst = 1000
const calmPerSecond = 33
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
  readonly #heads: HeadAssembler
  readonly #decoder = new HpackDecoder()
  readonly #sender: Sender
  readonly #windows: ReceiveWindows
  readonly #calm: TokenBucket
  readonly #streams = new Map<number, ServerStream>()
  readonly #resets = new Set<number>()
  #lastStreamId = 0
  #closing = false
  #over = false
  #quietSince: number
  #idleTimer: Disposable | undefined

  constructor(socket: Duplex, options: ServerSessionOptions) {
    const { clock, streamWindowBytes = 262_144, connectionWindowBytes = 1_048_576 } = options
    this.socket = socket
    this.#options = options
    this.#limits = { maxBytes: options.maxHeaderBytes ?? 65_536, maxFields: options.maxHeaderFields ?? 256 }
    this.#streamWindow = streamWindowBytes
    this.#maxStreams = options.maxConcurrentStreams ?? 1000
    this.#idleMs = options.idleMs ?? 180_000
    this.#quietSince = clock.monotonic()
    this.#calm = new TokenBucket(clock, calmPerSecond, calmBurst)
    this.#heads = new HeadAssembler(this.#limits.maxBytes * 2, (id, end, block) =>
      this.#onHead(id, end, block),
    )
    this.#reader = new FrameReader(defaultMaxFrameBytes, (type, flag, id, payload) =>
      this.#onFrame(type, flag, id, payload),
    )
    this.#sender = new Sender(socket, clock, (stream) => this.#onAnswered(stream))
    this.#windows = new ReceiveWindows(streamWindowBytes, connectionWindowBytes, (frame) =>
      this.#sender.send(frame),
    )
    this.#sender.send(
      settingsFrame([
        [settingIds.maxConcurrentStreams, this.#maxStreams],
        [settingIds.initialWindowSize, streamWindowBytes],
        [settingIds.maxHeaderListSize, this.#limits.maxBytes],
      ]),
    )
    this.#sender.send(numberFrame(frameTypes.windowUpdate, 0, connectionWindowBytes - defaultWindowBytes))
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
    this.#sender.send(goawayFrame(maxWindowBytes, errorCodes.noError, ""))
  }

  /** Takes no further requests, and ends the connection after those that are open. */
  close(): void {
    if (this.#closing || this.#over) return
    this.#closing = true
    this.#sender.send(goawayFrame(this.#lastStreamId, errorCodes.noError, ""))
    this.#endWhenDone()
  }

  /** Ends the connection now. */
  destroy(): void {
    this.socket.destroy()
    this.#end(undefined)
  }

  sendHead(stream: ServerStream, status: number, headers: HeaderList, end: boolean): void {
    this.#sender.sendHead(stream, status, headers, end)
  }

  queue(stream: ServerStream): void {
    if (stream.ending) stream.endingSince ??= this.#options.clock.monotonic()
    this.#sender.queue(stream)
  }

  sendReset(stream: ServerStream, code: number): void {
    this.#reset(stream.id, code)
    this.#forget(stream)
  }

  release(stream: ServerStream, bytes: number): void {
    this.#windows.releaseOf(stream, bytes)
  }

  #onData(chunk: Buffer): void {
    if (this.#over) return
    try {
      this.#reader.read(chunk)
    } catch (thrown) {
      const error = asError(thrown)
      this.#fail(error instanceof HpackError ? errorCodes.compressionError : codeOf(error), error)
    }
    if (this.#sender.waitingBytes > maxWaitingBytes) this.socket.pause()
  }

  #onFrame(type: number, flag: number, id: number, payload: Buffer): void {
    const open = this.#heads.openStreamId
    if (open !== undefined && (type !== frameTypes.continuation || id !== open))
      throw protocolError("A head is not complete")
    try {
      switch (type) {
        case frameTypes.data:
          return this.#onDataFrame(flag, id, payload)
        case frameTypes.headers:
          return this.#onHeaders(flag, id, payload)
        case frameTypes.continuation:
          return this.#heads.goOn(flag, payload)
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
    const known = this.#streams.get(id)
    if (known?.requestEnded)
      throw new ConnectionError(errorCodes.streamClosed, "A head behind a request's end")
    if (!known && id <= this.#lastStreamId && !this.#resets.has(id))
      throw new ConnectionError(errorCodes.streamClosed, "A head on a stream that is over")
    this.#heads.begin(flag, id, payload)
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
      send: this.#sender.initialWindowBytes,
    })
    this.#streams.set(id, stream)
    if (!head.tooLarge) return this.#options.onStream(stream)
    this.#requireCalm()
    stream.respond(431, ["content-type", "text/plain; charset=utf-8"])
    stream.end(Buffer.from("431 Request Header Fields Too Large"))
  }

  #onTrailers(id: number, stream: ServerStream | undefined, endStream: boolean, block: Buffer): void {
    const trailers = new Trailers(this.#limits)
    if (!endStream) trailers.fault = "A second head that is not the last"
    this.#decoder.decode(block, (name, value) => trailers.add(name, value))
    const { fault } = trailers
    if (!stream) return fault === undefined ? undefined : this.#requireCalm()
    if (fault !== undefined) throw new StreamError(id, errorCodes.protocolError, fault)
    this.#take(stream, Buffer.alloc(0), true)
  }

  #onDataFrame(flag: number, id: number, payload: Buffer): void {
    if (id === 0 || id > this.#lastStreamId) throw protocolError("A body of no request")
    const padding = flag & flags.padded ? (payload[0] ?? 0) + 1 : 0
    if (padding > payload.length) throw protocolError("Padding beyond the frame")
    this.#windows.take(payload.length)
    const stream = this.#streams.get(id)
    if (!stream || stream.requestEnded) {
      this.#windows.release(payload.length)
      if (!stream && this.#resets.has(id)) return
      throw new StreamError(id, errorCodes.streamClosed, "A body behind a request's end")
    }
    this.#windows.takeOf(stream, payload.length)
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
    // Each may walk all streams.
    if (this.#streams.size > 0) this.#requireCalm()
    this.#sender.readSettings(payload, this.#streams.values())
  }

  #onPing(flag: number, id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError("A ping of a stream")
    if (payload.length !== 8) throw frameSizeError()
    if (!(flag & flags.ack)) this.#sender.send(smallFrame(frameTypes.ping, flags.ack, 0, payload))
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
    if (id === 0) return this.#sender.widen(bytes)
    const stream = this.#streams.get(id)
    if (stream) this.#sender.widenStream(stream, bytes)
  }

  #onAnswered(stream: ServerStream): void {
    // An answer is there before the request's end: what is left of the body is not wanted.
    if (!stream.requestEnded) this.#reset(stream.id, errorCodes.noError)
    this.#forget(stream)
    stream.close()
  }

  #forget(stream: ServerStream): void {
    this.#streams.delete(stream.id)
    this.#sender.forget(stream)
    if (this.#streams.size > 0) return
    this.#quietSince = this.#options.clock.monotonic()
    this.#endWhenDone()
  }

  #refuse(id: number): void {
    this.#reset(id, errorCodes.refusedStream)
  }

  #reset(id: number, code: number): void {
    this.#sender.send(numberFrame(frameTypes.rstStream, id, code))
    this.#resets.add(id)
    if (this.#resets.size <= rememberedResets) return
    const [oldest] = this.#resets
    this.#resets.delete(oldest!)
  }

  #requireCalm(): void {
    if (this.#calm.take() > 0) throw new ConnectionError(errorCodes.enhanceYourCalm, "Too many resets")
  }

  #watchIdle(ms: number): void {
    const { clock } = this.#options
    this.#idleTimer = clock.timer(ms, () => {
      const now = clock.monotonic()
      for (const stream of this.#streams.values())
        // A peer that does not take an answer does not keep it here.
        if (stream.endingSince !== undefined && now - stream.endingSince >= this.#idleMs) stream.reset()
      const left = this.#idleMs - (now - this.#quietSince)
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
    this.#sender.flush()
    destroySoon(this.socket)
  }

  #fail(code: number, error: Error): void {
    if (this.#over) return
    this.#sender.send(goawayFrame(this.#lastStreamId, code, error.message))
    this.#sender.flush()
    destroySoon(this.socket)
    this.#end(error)
  }

  #end(error: Error | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#reader.stop()
    this.#idleTimer?.[Symbol.dispose]()
    const reason = error ?? new CancelledError("The connection")
    this.#sender.abandon(reason)
    const streams = [...this.#streams.values()]
    this.#streams.clear()
    for (const stream of streams) stream.close(reason)
    this.#options.onClose?.(error)
  }
}

function codeOf(error: Error): number {
  return error instanceof ConnectionError ? error.code : errorCodes.internalError
}
