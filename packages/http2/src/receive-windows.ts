/** What a peer may send of bodies: of each stream, and of all together, until they are taken. Mirrors: RFC 9113 §5.2 */
import { ConnectionError, StreamError, errorCodes, frameTypes, numberFrame } from "./protocol.ts"
import type { ServerStream } from "./server-stream.ts"

export class ReceiveWindows {
  readonly #streamBytes: number
  readonly #connectionBytes: number
  readonly #send: (frame: Buffer) => void
  #window: number
  #unreleased = 0

  /** The peer has been told of both. */
  constructor(streamBytes: number, connectionBytes: number, send: (frame: Buffer) => void) {
    this.#streamBytes = streamBytes
    this.#connectionBytes = connectionBytes
    this.#window = connectionBytes
    this.#send = send
  }

  /** So many octets have come. Throws a {@link ConnectionError}. */
  take(bytes: number): void {
    if (bytes > this.#window)
      throw new ConnectionError(errorCodes.flowControlError, "More was sent than allowed")
    this.#window -= bytes
  }

  /** … of the stream. Throws a {@link StreamError}. */
  takeOf(stream: ServerStream, bytes: number): void {
    if (bytes > stream.receiveWindow) {
      this.release(bytes)
      throw new StreamError(stream.id, errorCodes.flowControlError, "More was sent than allowed")
    }
    stream.receiveWindow -= bytes
  }

  /** So many octets have been taken, or thrown away: the peer may send as many more. */
  release(bytes: number): void {
    this.#unreleased += bytes
    if (this.#unreleased < this.#connectionBytes / 4) return
    this.#send(numberFrame(frameTypes.windowUpdate, 0, this.#unreleased))
    this.#window += this.#unreleased
    this.#unreleased = 0
  }

  /** … of the stream. */
  releaseOf(stream: ServerStream, bytes: number): void {
    if (bytes === 0) return
    this.release(bytes)
    if (stream.closed || stream.requestEnded || stream.answerEnded) return
    stream.unreleased += bytes
    if (stream.unreleased < this.#streamBytes / 4) return
    this.#send(numberFrame(frameTypes.windowUpdate, stream.id, stream.unreleased))
    stream.receiveWindow += stream.unreleased
    stream.unreleased = 0
  }
}
