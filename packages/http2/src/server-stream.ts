/** One request and its answer on a connection: see `server-session.ts`, which moves the frames. */
import { Readable } from "node:stream"
import { ByteQueue, CancelledError } from "@knarr/base"
import type { HeaderList } from "./hpack/encoder.ts"
import { errorCodes } from "./protocol.ts"
import type { RequestHead, RequestHeaders } from "./request-head.ts"

/** What takes a request's body, piece by piece. A piece is the sink's own. */
export interface BodySink {
  /** False: the peer gets room for as much again by {@link ServerStream.release}, not at once. */
  data(chunk: Buffer): boolean
  end(): void
  /** The rest of the body will not come. */
  failed(reason: Error): void
}

/** What streams ask of their connection. */
export interface StreamCarrier {
  sendHead(stream: ServerStream, status: number, headers: HeaderList, end: boolean): void
  /** There is more to be sent. */
  queue(stream: ServerStream): void
  sendReset(stream: ServerStream, code: number): void
  /** So many octets of the body have been taken. */
  release(stream: ServerStream, bytes: number): void
}

type Done = (error?: Error | null) => void

interface Piece {
  readonly chunk: Buffer
  readonly done: Done | undefined
}

/** A writer waits when so much is pending, until half of it is gone. */
const highWaterBytes = 64 * 1024

export class ServerStream {
  readonly id: number
  readonly headers: RequestHeaders
  readonly rawHeaders: readonly string[]
  /** The request ended with its head. */
  readonly bodiless: boolean
  /** Called once, when the stream is over; `complete`: the whole answer has been handed over. */
  onClose: ((complete: boolean) => void) | undefined
  /** Called when a writer that was told to wait may go on. */
  onDrain: (() => void) | undefined
  /** Octets that the peer may send, and that may be sent to it. The session's. */
  receiveWindow: number
  sendWindow: number
  /** Octets that were taken and the peer has not been told of. The session's. */
  unreleased = 0
  /** Since when all of the answer waits for the peer, by the monotonic clock. The session's. */
  endingSince: number | undefined
  readonly #carrier: StreamCarrier
  #expectedBytes: number | undefined
  #continue: boolean
  #sink: BodySink | undefined
  /** What has come and nobody has taken. */
  readonly #waiting = new ByteQueue()
  #requestEnded: boolean
  #answered = false
  #ending = false
  #answerEnded = false
  #closed = false
  #pieces: Piece[] = []
  /** Octets of the first piece that are sent. */
  #sent = 0
  #pendingBytes = 0
  #needDrain = false

  constructor(
    id: number,
    head: RequestHead,
    bodiless: boolean,
    carrier: StreamCarrier,
    windows: { readonly receive: number; readonly send: number },
  ) {
    this.id = id
    this.headers = head.headers
    this.rawHeaders = head.raw
    this.bodiless = bodiless
    this.#requestEnded = bodiless
    this.#expectedBytes = head.contentLength
    this.#continue = head.headers["expect"] === "100-continue"
    this.#carrier = carrier
    this.receiveWindow = windows.receive
    this.sendWindow = windows.send
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The peer has sent all that it will. */
  get requestEnded(): boolean {
    return this.#requestEnded
  }

  /** The answer is complete; what is left of the request says nothing. */
  get ending(): boolean {
    return this.#ending
  }

  /** The end of the answer is on its way to the peer. */
  get answerEnded(): boolean {
    return this.#answerEnded
  }

  /** Octets that were written and have not been handed to the connection. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  get needsDrain(): boolean {
    return this.#needDrain
  }

  /** Sends the head of the answer, once. Names are in small letters; one character of a value is one octet. */
  respond(status: number, headers: HeaderList, end = false): void {
    if (this.#closed || this.#answered) return
    this.#answered = true
    this.#ending = end
    this.#answerEnded = end
    this.#carrier.sendHead(this, status, headers, end)
  }

  /**
   * Sends a piece of the answer's body. False: the peer does not keep up. The chunk must not change before `done` is
   * called, which always happens.
   */
  write(chunk: Buffer, done?: Done): boolean {
    if (this.#closed || this.#ending) {
      done?.(new CancelledError("The answer"))
      return false
    }
    if (chunk.length === 0) {
      done?.()
      return !this.#needDrain
    }
    this.#pieces.push({ chunk, done })
    this.#pendingBytes += chunk.length
    this.#carrier.queue(this)
    if (this.#pendingBytes >= highWaterBytes) this.#needDrain = true
    return !this.#needDrain
  }

  /** Ends the answer, after a last piece of it. */
  end(chunk?: Buffer): void {
    if (this.#closed || this.#ending) return
    if (chunk && chunk.length > 0) {
      this.#pieces.push({ chunk, done: undefined })
      this.#pendingBytes += chunk.length
    }
    this.#ending = true
    this.release(this.#waiting.take().length)
    this.#carrier.queue(this)
  }

  /** Breaks the stream off. */
  reset(code: number = errorCodes.cancel): void {
    if (this.#closed) return
    this.#carrier.sendReset(this, code)
    this.close(new CancelledError("The request"))
  }

  /** Gives the body to `sink`, what has come already at once. Only once. */
  consume(sink: BodySink): void {
    if (this.#sink) throw new Error("The body of a request is read once")
    this.#sink = sink
    if (this.#continue && !this.#answered && !this.#requestEnded && !this.#closed) {
      this.#continue = false
      this.#carrier.sendHead(this, 100, [], false)
    }
    const { length } = this.#waiting
    if (length > 0 && sink.data(this.#waiting.take())) this.release(length)
    if (this.#requestEnded) sink.end()
    else if (this.#closed) sink.failed(new CancelledError("The request"))
  }

  /** The peer may send so many octets more of the body. */
  release(bytes: number): void {
    this.#carrier.release(this, bytes)
  }

  /** The body as a stream; instead of {@link consume}. */
  readable(): Readable {
    const held = new ByteQueue()
    let wanted = false
    let ended = false
    const readable = new Readable({ read: () => ((wanted = true), move()) })
    const move = (): void => {
      const bytes = held.length
      if (!wanted || (bytes === 0 && !ended)) return
      wanted = false
      readable.push(bytes === 0 ? null : held.take())
      this.release(bytes)
    }
    // Whoever reads hears of it; when nobody does any more, it is no fault.
    readable.on("error", () => {})
    readable.once("close", () => this.release(held.take().length))
    this.consume({
      data(chunk) {
        if (readable.destroyed) return true
        held.add(chunk)
        move()
        return false
      },
      end() {
        ended = true
        move()
      },
      failed: (reason) => void readable.destroy(reason),
    })
    return readable
  }

  /** For the session: a piece of the body has come. A text: it is not what the request announced. */
  received(chunk: Buffer, end: boolean): string | undefined {
    const left = this.#expectedBytes
    if (left !== undefined) {
      this.#expectedBytes = left - chunk.length
      if (chunk.length > left || (end && chunk.length !== left)) return "The body is not as long as announced"
    }
    if (end) this.#requestEnded = true
    if (chunk.length > 0) {
      if (this.#ending) this.release(chunk.length)
      else if (!this.#sink) this.#waiting.add(chunk)
      else if (this.#sink.data(chunk)) this.release(chunk.length)
    }
    if (end) this.#sink?.end()
    return undefined
  }

  /** For the session: whether the answer has something to send, its end included. */
  get sendable(): boolean {
    return (
      !this.#closed && (this.#pendingBytes > 0 ? this.sendWindow > 0 : this.#ending && !this.#answerEnded)
    )
  }

  /**
   * For the session: takes up to `most` octets of what is pending and gives them to `take`, piece by piece. True when
   * the answer ends with them.
   */
  pull(most: number, take: (bytes: Buffer) => void, done: (callback: Done) => void): boolean {
    let left = Math.min(most, this.#pendingBytes)
    this.#pendingBytes -= left
    this.sendWindow -= left
    let whole = 0
    while (left > 0) {
      const piece = this.#pieces[whole]!
      const bytes = Math.min(piece.chunk.length - this.#sent, left)
      const all = this.#sent === 0 && bytes === piece.chunk.length
      take(all ? piece.chunk : piece.chunk.subarray(this.#sent, this.#sent + bytes))
      left -= bytes
      this.#sent += bytes
      if (this.#sent < piece.chunk.length) break
      if (piece.done) done(piece.done)
      this.#sent = 0
      whole++
    }
    if (whole > 0) this.#pieces.splice(0, whole)
    if (this.#ending && this.#pendingBytes === 0) this.#answerEnded = true
    return this.#answerEnded
  }

  /** For the session: tells a waiting writer, when there is room again. */
  drained(): void {
    if (!this.#needDrain || this.#pendingBytes > highWaterBytes / 2) return
    this.#needDrain = false
    this.onDrain?.()
  }

  /** For the session: the stream is over. `reason`: it was broken off. */
  close(reason?: Error): void {
    if (this.#closed) return
    this.#closed = true
    const pieces = this.#pieces
    this.#pieces = []
    this.#pendingBytes = 0
    this.release(this.#waiting.take().length)
    for (const { done } of pieces) done?.(reason ?? new CancelledError("The answer"))
    if (!this.#requestEnded) this.#sink?.failed(reason ?? new CancelledError("The request"))
    this.onClose?.(reason === undefined)
    if (!this.#needDrain) return
    this.#needDrain = false
    this.onDrain?.()
  }
}
