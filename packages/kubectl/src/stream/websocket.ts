/** A WebSocket to the API server: whole messages, read no faster than they are used. */
import type { Readable } from "node:stream"
import { StatusError } from "@knarr/apimachinery"
import { ConnectionError } from "@knarr/client"
import { createWebSocketStream, type WebSocket } from "ws"
import { failureFrom, type ApiClient } from "../api-client.ts"

export interface WebSocketConnection {
  readonly protocol: string
  /** Whole binary messages; ends when either side closes. */
  messages(): AsyncIterable<Buffer>
  /** Resolves when the message may be followed by another. */
  send(data: Uint8Array): Promise<void>
  close(): void
}

/** Opens a WebSocket at an API path. Throws what the server answered when it does not switch. */
export async function openWebSocket(
  api: ApiClient,
  path: string,
  protocols: readonly string[],
): Promise<WebSocketConnection> {
  const answer = await api.webSocket(path, protocols).catch((thrown: unknown) => {
    // What the system says of a connection has a code, what is wrong with a handshake has none.
    if (!(thrown instanceof ConnectionError) || thrown.code !== undefined) throw thrown
    throw new Error(`unable to upgrade connection: ${(thrown.cause as Error).message}`, { cause: thrown })
  })
  if (!("status" in answer)) return new Connection(answer)
  const failed = await failureFrom("GET", path, answer)
  if (failed instanceof StatusError) throw failed
  throw new Error(`unable to upgrade connection: ${failed.message}`)
}

class Connection implements WebSocketConnection {
  readonly #socket: WebSocket
  readonly #messages: Readable
  #closed = false

  constructor(socket: WebSocket) {
    this.#socket = socket
    // Reads on when what it has was taken.
    this.#messages = createWebSocketStream(socket, { readableObjectMode: true })
    // Told to who reads the messages.
    this.#messages.on("error", () => {})
    socket.resume()
  }

  get protocol(): string {
    return this.#socket.protocol
  }

  async *messages(): AsyncGenerator<Buffer> {
    try {
      for await (const message of this.#messages) yield message as Buffer
    } catch (thrown) {
      // What fails once we have closed has nothing to tell.
      if (!this.#closed) throw thrown
    }
  }

  send(data: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#socket.send(data, () => resolve()))
  }

  close(): void {
    this.#closed = true
    this.#socket.close(1000)
  }
}
