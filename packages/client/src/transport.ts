/** HTTP to an API server: one keep-alive pool of TLS connections. */
import { Agent, request as httpsRequest, type RequestOptions } from "node:https"
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http"
import type { Duplex } from "node:stream"
import type { TlsOptions } from "./tls-options.ts"

export interface HttpRequest {
  readonly method: string
  /** Path and query, beginning with "/". */
  readonly path: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined
  readonly body?: string | Buffer | undefined
  readonly signal?: AbortSignal | undefined
}

export interface HttpResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The body in pieces, as it comes. Leaving the loop early breaks the connection off. */
  readonly body: AsyncIterable<Buffer>
  /** The whole body. */
  buffer(): Promise<Buffer>
}

export interface UpgradedConnection {
  readonly headers: IncomingHttpHeaders
  readonly socket: Duplex
  /** What the server sent right behind its headers. */
  readonly head: Buffer
}

export interface Transport extends Disposable {
  /** For example `https://127.0.0.1:6443`. */
  readonly server: string
  request(request: HttpRequest): Promise<HttpResponse>
  /** Asks for another protocol on the connection (SPDY, WebSocket). An ordinary answer is returned as a response. */
  upgrade(request: HttpRequest): Promise<UpgradedConnection | HttpResponse>
}

export interface TransportOptions {
  readonly server: string
  readonly tls: TlsOptions
  /** Sent with each request: `authorization`, `user-agent`. Asked each time, so that tokens can be renewed. */
  headers?(): Readonly<Record<string, string>>
}

/** Connects on demand. Disposing it closes idle and used connections. */
export function createTransport(options: TransportOptions): Transport {
  const url = new URL(options.server)
  const secure = url.protocol === "https:"
  const base = url.pathname === "/" ? "" : url.pathname.replace(/\/$/, "")
  const agent = secure ? new Agent({ keepAlive: true, ...options.tls }) : new HttpAgent({ keepAlive: true })
  const send = secure ? httpsRequest : httpRequest

  const requestOptions = (request: HttpRequest): RequestOptions => ({
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port || (secure ? 443 : 80),
    method: request.method,
    path: base + request.path,
    headers: {
      ...options.headers?.(),
      ...(request.headers as Record<string, string>),
      ...(request.body === undefined ? {} : { "content-length": String(Buffer.byteLength(request.body)) }),
    },
    agent,
    ...(request.signal ? { signal: request.signal } : {}),
    ...(options.tls.servername ? { servername: options.tls.servername } : {}),
  })

  const start = <R>(
    request: HttpRequest,
    on: (resolve: (value: R) => void, message: ReturnType<typeof send>) => void,
  ) =>
    new Promise<R>((resolve, reject) => {
      request.signal?.throwIfAborted()
      const message = send(requestOptions(request))
      message.setNoDelay(true)
      message.on("error", (error) =>
        reject(request.signal?.aborted ? request.signal.reason : connectionError(options.server, error)),
      )
      on(resolve, message)
      message.end(request.body)
    })

  return {
    server: options.server,
    request: (request) =>
      start<HttpResponse>(request, (resolve, message) =>
        message.on("response", (res) => resolve(toResponse(res, request.signal))),
      ),
    upgrade: (request) =>
      start<UpgradedConnection | HttpResponse>(request, (resolve, message) => {
        message.on("response", (res) => resolve(toResponse(res, request.signal)))
        message.on("upgrade", (res, socket, head) => resolve({ headers: res.headers, socket, head }))
      }),
    [Symbol.dispose]: () => agent.destroy(),
  }
}

/** Cannot reach the server; `cause` is what the system said. */
export class ConnectionError extends Error {
  readonly code: string | undefined
  constructor(server: string, cause: NodeJS.ErrnoException) {
    super(`Cannot reach ${server}: ${cause.message || cause.code}`, { cause })
    this.name = "ConnectionError"
    this.code = cause.code
  }
}

function connectionError(server: string, cause: NodeJS.ErrnoException): Error {
  return new ConnectionError(server, cause)
}

function toResponse(message: IncomingMessage, signal: AbortSignal | undefined): HttpResponse {
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
