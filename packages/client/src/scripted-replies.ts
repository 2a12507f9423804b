/** A network for tests of clients: it answers what it was told to, one after the other. */
import type { HttpRequest, HttpResponse } from "./http-exchange.ts"
import { ConnectionError, type Transport } from "./transport.ts"

export interface Reply {
  readonly status?: number
  readonly body?: unknown
  readonly retryAfter?: string
}

/** A network that answers from a list, with `{}` at its end, and keeps what it was asked. */
export class Replies implements Transport {
  readonly server = "http://test"
  readonly asked: HttpRequest[] = []
  readonly #replies: (Reply | Error | "never")[]

  constructor(...replies: (Reply | Error | "never")[]) {
    this.#replies = replies
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    this.asked.push(request)
    const reply = this.#replies.shift() ?? {}
    if (reply instanceof Error) throw new ConnectionError(this.server, reply)
    if (reply === "never")
      return new Promise((_, reject) =>
        request.signal!.addEventListener("abort", () => reject(request.signal!.reason as Error)),
      )
    const { status = 200, body = {}, retryAfter } = reply
    const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body))
    async function* chunks(): AsyncGenerator<Buffer> {
      yield bytes
    }
    const headers = retryAfter === undefined ? {} : { "retry-after": retryAfter }
    return { status, headers, body: chunks(), buffer: () => Promise.resolve(bytes) }
  }

  webSocket(): Promise<never> {
    return Promise.reject(new Error("there are no WebSockets here"))
  }

  [Symbol.dispose](): void {}
}
