/** A WebSocket client on an upgraded connection: frames, fragments, ping and close. Mirrors: RFC 6455 */
import { createHash } from "node:crypto"
import type { Duplex } from "node:stream"
import { Channel, type Random } from "@knarr/base"
import { StatusError } from "@knarr/apimachinery"
import { failureFrom, type ApiClient } from "../api-client.ts"

export interface WebSocketConnection {
  readonly protocol: string
  /** Whole binary messages; ends when the other side closes. */
  messages(): AsyncIterable<Buffer>
  /** Resolves when the message may be followed by another. */
  send(data: Uint8Array): Promise<void>
  close(): void
}

const acceptSalt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
const maxQueued = 1024
const binaryFrame = 2
const closeFrame = 8
const pingFrame = 9
const pongFrame = 10

/** Opens a WebSocket at an API path. Throws what the server answered when it does not switch. */
export async function openWebSocket(
  api: ApiClient,
  random: Random,
  path: string,
  protocols: readonly string[],
): Promise<WebSocketConnection> {
  const key = Buffer.from(random.bytes(16)).toString("base64")
  const answer = await api.upgrade("GET", path, {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": key,
    "sec-websocket-protocol": protocols.join(", "),
  })
  if (!("socket" in answer)) {
    const failed = await failureFrom("GET", path, answer)
    if (failed instanceof StatusError) throw failed
    throw new Error(`unable to upgrade connection: ${failed.message}`)
  }
  const expected = createHash("sha1")
    .update(key + acceptSalt)
    .digest("base64")
  if (answer.headers["sec-websocket-accept"] !== expected) {
    answer.socket.destroy()
    throw new Error("unable to upgrade connection: wrong Sec-WebSocket-Accept")
  }
  const protocol = answer.headers["sec-websocket-protocol"] ?? ""
  return new Connection(answer.socket, answer.head, protocol, random)
}

class Connection implements WebSocketConnection {
  readonly protocol: string
  readonly #socket: Duplex
  readonly #random: Random
  readonly #queue = new Channel<Buffer>(maxQueued)
  #pending: Buffer
  #fragments: Buffer[] = []
  #closed = false

  constructor(socket: Duplex, head: Buffer, protocol: string, random: Random) {
    this.#socket = socket
    this.#pending = head
    this.#random = random
    this.protocol = protocol
    socket.on("data", (chunk: Buffer) => {
      this.#pending = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk
      this.#parse()
    })
    socket.on("end", () => this.#queue.close())
    socket.on("close", () => this.#queue.close())
    socket.on("error", (error) => (this.#closed ? this.#queue.close() : this.#queue.fail(error)))
    this.#parse()
  }

  async *messages(): AsyncGenerator<Buffer> {
    for await (const message of this.#queue) {
      yield message
      if (this.#queue.size < maxQueued / 4 && this.#socket.isPaused()) {
        this.#socket.resume()
        this.#parse()
      }
    }
  }

  send(data: Uint8Array): Promise<void> {
    return this.#frame(binaryFrame, data)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    const status = Buffer.from([0x03, 0xe8])
    void this.#frame(closeFrame, status).then(
      () => this.#socket.end(),
      () => this.#socket.destroy(),
    )
  }

  #frame(opcode: number, data: Uint8Array): Promise<void> {
    const { length } = data
    const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8
    const frame = Buffer.alloc(2 + extended + 4 + length)
    frame[0] = 0x80 | opcode
    frame[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127)
    if (extended === 2) frame.writeUInt16BE(length, 2)
    if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2)
    const mask = this.#random.bytes(4)
    frame.set(mask, 2 + extended)
    const from = 6 + extended
    for (let i = 0; i < length; i++) frame[from + i] = data[i]! ^ mask[i & 3]!
    if (this.#socket.destroyed || this.#socket.writableEnded) return Promise.resolve()
    if (this.#socket.write(frame)) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off("drain", done)
        this.#socket.off("close", done)
        resolve()
      }
      this.#socket.on("drain", done)
      this.#socket.on("close", done)
    })
  }

  #parse(): void {
    while (this.#queue.size < maxQueued - 1) {
      const data = this.#pending
      if (data.length < 2) return
      const short = data[1]! & 0x7f
      const extended = short === 126 ? 2 : short === 127 ? 8 : 0
      if (data.length < 2 + extended) return
      const length =
        extended === 0 ? short : extended === 2 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2))
      const masked = (data[1]! & 0x80) !== 0
      const from = 2 + extended + (masked ? 4 : 0)
      if (data.length < from + length) return
      const payload = Buffer.from(data.subarray(from, from + length))
      if (masked) {
        const mask = data.subarray(from - 4, from)
        for (let i = 0; i < payload.length; i++) payload[i] = payload[i]! ^ mask[i & 3]!
      }
      this.#pending = data.subarray(from + length)
      this.#take(data[0]! & 0x0f, (data[0]! & 0x80) !== 0, payload)
    }
    this.#socket.pause()
  }

  #take(opcode: number, final: boolean, payload: Buffer): void {
    if (opcode === pingFrame) {
      void this.#frame(pongFrame, payload)
      return
    }
    if (opcode === closeFrame) {
      this.close()
      this.#queue.close()
      return
    }
    if (opcode === pongFrame) return
    this.#fragments.push(payload)
    if (!final) return
    const message = this.#fragments.length === 1 ? payload : Buffer.concat(this.#fragments)
    this.#fragments = []
    this.#queue.push(message)
  }
}
