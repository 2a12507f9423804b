/** Requests over HTTP/1.1: to servers that speak nothing else, and for what asks for another protocol on its connection. */
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from "node:https"
import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
} from "node:http"
import type { WebSocket } from "ws"
import type { TlsOptions } from "./tls-options.ts"
import { sendBody, type HttpRequest, type HttpResponse } from "./http-exchange.ts"

type Headers = Record<string, string | string[]>

/** Methods that do no harm when they arrive twice. */
const repeatable = new Set(["GET", "HEAD", "OPTIONS"])

export class Http1Requests implements Disposable {
  readonly #url: URL
  readonly #tls: () => TlsOptions
  readonly #agent: HttpAgent

  constructor(url: URL, tls: () => TlsOptions) {
    this.#url = url
    this.#tls = tls
    this.#agent = this.#isSecure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true })
  }

  get #isSecure(): boolean {
    return this.#url.protocol === "https:"
  }

  async request(request: HttpRequest, path: string, headers: Headers): Promise<HttpResponse> {
    for (;;) {
      let message: ClientRequest | undefined
      try {
        return await this.#start<HttpResponse>(request, path, headers, (started, resolve) => {
          message = started
          started.on("response", (res) => resolve(responseOf(res, request.signal)))
        })
      } catch (thrown) {
        // The server closed an idle connection at the moment at which it was used again.
        const isStale = message?.reusedSocket && (thrown as NodeJS.ErrnoException).code === "ECONNRESET"
        if (!isStale || !repeatable.has(request.method) || request.signal?.aborted) throw thrown
      }
    }
  }

  /** The open WebSocket is paused: whoever has its listeners in place resumes it. */
  async webSocket(
    { signal }: HttpRequest,
    path: string,
    headers: Headers,
    protocols: readonly string[],
  ): Promise<WebSocket | HttpResponse> {
    // Most programs open none.
    const { WebSocket } = await import("ws")
    signal?.throwIfAborted()
    const secure = this.#isSecure
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`${secure ? "wss" : "ws"}://${this.#url.host}${path}`, [...protocols], {
        headers,
        perMessageDeflate: false,
        ...(secure ? this.#tls() : {}),
      })
      const onAbort = (): void => socket.terminate()
      signal?.addEventListener("abort", onAbort)
      const answer = (value: WebSocket | HttpResponse): void => {
        signal?.removeEventListener("abort", onAbort)
        resolve(value)
      }
      socket.on("open", () => {
        socket.pause()
        answer(socket)
      })
      socket.on("unexpected-response", (_, response) => answer(responseOf(response, signal)))
      socket.on("error", (error) => {
        signal?.removeEventListener("abort", onAbort)
        reject(error)
      })
    })
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  #start<R>(
    request: HttpRequest,
    path: string,
    headers: Headers,
    on: (message: ClientRequest, resolve: (value: R) => void) => void,
  ): Promise<R> {
    const url = this.#url
    const options: RequestOptions = {
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port || (this.#isSecure ? 443 : 80),
      method: request.method,
      path,
      headers,
      agent: this.#agent,
      ...(request.signal ? { signal: request.signal } : {}),
      // The agent keeps connections of other certificates apart.
      ...(this.#isSecure ? this.#tls() : {}),
    }
    return new Promise<R>((resolve, reject) => {
      const message = (this.#isSecure ? httpsRequest : httpRequest)(options)
      message.setNoDelay(true)
      message.on("error", reject)
      on(message, resolve)
      sendBody(message, request.body, (error) => void message.destroy(error))
    })
  }
}

function responseOf(message: IncomingMessage, signal: AbortSignal | undefined): HttpResponse {
  const body = async function* (): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of message) yield chunk as Buffer
    } catch (thrown) {
      throw signal?.aborted ? signal.reason : thrown
    }
  }
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    body: { [Symbol.asyncIterator]: body },
    async buffer() {
      const chunks: Buffer[] = []
      for await (const chunk of body()) chunks.push(chunk)
      return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    },
  }
}
