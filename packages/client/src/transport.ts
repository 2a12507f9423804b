/** HTTP to an API server. Mirrors: client-go transport/{cache,tls_cache}.go, apimachinery pkg/util/net/http.go */
import type { WebSocket } from "ws"
import { isStreamed, type HttpRequest, type HttpResponse } from "./http-exchange.ts"
import { asError, systemClock, systemRandom, type Env } from "@knarr/base"
import { Http1Requests } from "./http1-requests.ts"
import { Http2Pool } from "./http2-pool.ts"
import type { TlsOptions } from "./tls-options.ts"

export interface Transport extends Disposable {
  /** For example `https://127.0.0.1:6443`. */
  readonly server: string
  request(request: HttpRequest): Promise<HttpResponse>
  /**
   * Opens a WebSocket that speaks one of the protocols, on a connection of its own. An ordinary answer is returned as a
   * response; throws what is wrong with a handshake.
   */
  webSocket(request: HttpRequest, protocols: readonly string[]): Promise<WebSocket | HttpResponse>
}

export interface TransportOptions {
  readonly server: string
  /** What identifies the two sides. Asked each time, so that certificates can be renewed: see {@link createTransport}. */
  tls(): TlsOptions
  /** Sent with each request: `authorization`, `user-agent`. Asked each time, so that tokens can be renewed. */
  headers?(): Readonly<Record<string, string>>
  /** Measures and waits. Default: the machine's own. */
  readonly env?: Pick<Env, "clock" | "random">
}

/**
 * Connects on demand. A server that speaks HTTP/2 gets one connection for all requests and watches (more when it
 * allows few streams on one); any other a connection for each request under way. When what `tls` answers changes,
 * new requests go over new connections, and the old ones end with their last request. A connection from which
 * nothing came for 30 s is asked whether it lives, and given up when it does not answer within 15 s.
 * Disposing the transport closes idle and used connections.
 */
export function createTransport(options: TransportOptions): Transport {
  const url = new URL(options.server)
  const base = url.pathname === "/" ? "" : url.pathname.replace(/\/$/, "")
  const env = options.env ?? { clock: systemClock, random: systemRandom }
  const pool = url.protocol === "https:" ? new Http2Pool({ url, env, tls: () => options.tls() }) : undefined
  const http1 = new Http1Requests(url, () => options.tls())
  const headersOf = (request: HttpRequest): Record<string, string | string[]> => ({
    ...options.headers?.(),
    ...(request.headers as Record<string, string>),
    ...(request.body === undefined || isStreamed(request.body)
      ? {}
      : { "content-length": String(Buffer.byteLength(request.body)) }),
  })
  const send = async <R>(request: HttpRequest, fn: () => Promise<R>): Promise<R> => {
    request.signal?.throwIfAborted()
    try {
      return await fn()
    } catch (thrown) {
      if (request.signal?.aborted) throw request.signal.reason
      pool?.forget()
      throw new ConnectionError(options.server, asError(thrown))
    }
  }
  return {
    server: options.server,
    request: (request) =>
      send(request, async () => {
        const headers = headersOf(request)
        const answer = pool?.speaksHttp2
          ? await pool.request(request, base + request.path, headers)
          : undefined
        return answer ?? http1.request(request, base + request.path, headers)
      }),
    webSocket: (request, protocols) =>
      send(request, () => http1.webSocket(request, base + request.path, headersOf(request), protocols)),
    [Symbol.dispose]() {
      pool?.[Symbol.dispose]()
      http1[Symbol.dispose]()
    },
  }
}

/** Cannot reach the server; `cause` is what the system said. */
export class ConnectionError extends Error {
  readonly code: string | undefined
  constructor(server: string, cause: Error & { readonly code?: string | undefined }) {
    super(`Cannot reach ${server}: ${cause.message || cause.code}`, { cause })
    this.name = "ConnectionError"
    this.code = cause.code
  }
}
