/** The other end of a connection, for tests: it sends what it is told, valid or not, and shows what came. */
import { duplexPair, type Duplex } from "node:stream"
import { VirtualClock } from "@knarr/base"
import { HpackDecoder } from "./hpack/decoder.ts"
import { FrameReader } from "./frame-reader.ts"
import { errorCodes, flags, frameTypes, numberFrame, preface, settingsFrame, smallFrame } from "./protocol.ts"
import { ServerSession, type ServerSessionOptions } from "./server-session.ts"
import type { ServerStream } from "./server-stream.ts"

export interface Frame {
  readonly type: number
  readonly flag: number
  readonly streamId: number
  readonly payload: Buffer
}

/** A header block of literals. */
export function literals(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const string = (text: string): Buffer => {
    const bytes = Buffer.from(text, "latin1")
    const length = bytes.length
    if (length < 127) return Buffer.concat([Buffer.from([length]), bytes])
    const rest = length - 127
    return Buffer.concat([
      Buffer.from([127, (rest & 127) | 128, ((rest >> 7) & 127) | 128, rest >> 14]),
      bytes,
    ])
  }
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), string(name), string(value)]))
}

export const get = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/x"],
  [":authority", "a"],
] as const
export const post = [[":method", "POST"], ...get.slice(1)] as const

/** A HEADERS frame. */
export function headersFrame(
  streamId: number,
  fields: readonly (readonly [name: string, value: string])[],
  flag: number = flags.endHeaders | flags.endStream,
): Buffer {
  return smallFrame(frameTypes.headers, flag, streamId, literals(fields))
}

export const none = Buffer.alloc(0)

/** A DATA frame. */
export function data(id: number, bytes: Buffer | string, flag = 0): Buffer {
  return smallFrame(frameTypes.data, flag, id, Buffer.from(bytes as string))
}

/** An RST_STREAM frame. */
export function reset(id: number, code: number = errorCodes.cancel): Buffer {
  return numberFrame(frameTypes.rstStream, id, code)
}

/** Answers everything at once. */
export function hello(stream: ServerStream): void {
  stream.respond(200, ["content-type", "text/plain"])
  stream.end(Buffer.from("hello"))
}

export function quiet(): void {}

export class RawClient {
  readonly clock = new VirtualClock()
  readonly session: ServerSession
  readonly frames: Frame[] = []
  readonly #socket: Duplex
  readonly #decoder = new HpackDecoder()
  closed = false

  constructor(options: Omit<ServerSessionOptions, "clock">, start: readonly Buffer[] = [settingsFrame([])]) {
    const [ours, theirs] = duplexPair({ highWaterMark: 4096 })
    this.#socket = ours
    const reader = new FrameReader(2 ** 24, (type, flag, streamId, payload) =>
      this.frames.push({ type, flag, streamId, payload: Buffer.from(payload) }),
    )
    // The server's side begins with no preface.
    reader.read(preface)
    ours.on("data", (chunk: Buffer) => reader.read(chunk))
    ours.on("close", () => (this.closed = true))
    ours.on("end", () => (this.closed = true))
    this.session = new ServerSession(theirs, { clock: this.clock, ...options })
    this.send(preface, ...start)
  }

  send(...frames: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(frames))
  }

  /** Nothing that the server sends is read. */
  stopReading(): void {
    this.#socket.pause()
  }

  readAgain(): void {
    this.#socket.resume()
  }

  /** Lets what was sent arrive and be answered, until nothing moves. */
  async settle(): Promise<void> {
    for (let before = ""; before !== this.#state;) {
      before = this.#state
      for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  get #state(): string {
    return `${this.frames.length} ${this.#socket.writableLength} ${this.#socket.readableLength} ${this.session.socket.readableLength}`
  }

  of(type: number): Frame[] {
    return this.frames.filter((frame) => frame.type === type)
  }

  /** The body of an answer so far. */
  body(streamId: number): Buffer {
    return Buffer.concat(
      this.of(frameTypes.data)
        .filter((frame) => frame.streamId === streamId)
        .map((frame) => frame.payload),
    )
  }

  /** Status and header fields of each answer, in their order. */
  heads(): string[][] {
    return this.of(frameTypes.headers).map(({ payload }) => {
      const fields: string[] = []
      this.#decoder.decode(payload, (name, value) => fields.push(`${name}: ${value}`))
      return fields
    })
  }

  /** What the server says is wrong: `goaway CODE` and `reset STREAM CODE`. */
  get complaints(): string[] {
    return this.frames.flatMap(({ type, streamId, payload }) =>
      type === frameTypes.goaway
        ? [`goaway ${payload.readUInt32BE(4)}`]
        : type === frameTypes.rstStream
          ? [`reset ${streamId} ${payload.readUInt32BE(0)}`]
          : [],
    )
  }

  [Symbol.dispose](): void {
    this.session.destroy()
    this.#socket.destroy()
  }
}
