/**
 * The HTTP/2 connections to one server: one, as long as the server allows as many streams as are asked for.
 * Mirrors: golang.org/x/net/http2 client_conn_pool.go, transport.go (RoundTripOpt)
 */
import { isIP } from "node:net"
import { connect, type TLSSocket } from "node:tls"
import { abortable, TimeoutError, type Env } from "@knarr/base"
import { Http2Connection, NotProcessedError } from "./http2-connection.ts"
import type { TlsOptions } from "./tls-options.ts"
import { isStreamed, type HttpRequest, type HttpResponse } from "./http-exchange.ts"

const dialLimitMs = 30_000
/** How often a request that the server did not begin with is sent again. */
const maxRetries = 6
/** More are not opened to a server that allows few streams on each; the request fails. */
const maxConnections = 100

export interface Http2PoolOptions {
  readonly url: URL
  readonly env: Pick<Env, "clock" | "random">
  tls(): TlsOptions
}

export class Http2Pool implements Disposable {
  readonly #options: Http2PoolOptions
  readonly #ended = new AbortController()
  #connections: Http2Connection[] = []
  #dialing: Promise<void> | undefined
  /** What the present connections were made with. */
  #tls: TlsOptions | undefined

  /** False once a server turned out to speak HTTP/1.1 alone. {@link forget} makes it unknown again. */
  speaksHttp2 = true

  constructor(options: Http2PoolOptions) {
    this.#options = options
  }

  /** Undefined when the server speaks HTTP/1.1 alone. Rejects with what the system or the server said. */
  async request(
    request: HttpRequest,
    path: string,
    headers: HttpRequest["headers"],
  ): Promise<HttpResponse | undefined> {
    const { clock, random } = this.#options.env
    const signal = request.signal ?? this.#ended.signal
    signal.throwIfAborted()
    for (let attempt = 0; this.speaksHttp2;) {
      const connection = this.#free()
      if (!connection) {
        await abortable(this.#dial(), signal)
        continue
      }
      try {
        return await connection.request(request, path, headers)
      } catch (thrown) {
        if (!(thrown instanceof NotProcessedError)) throw thrown
        if (attempt === maxRetries || isStreamed(request.body)) throw thrown.cause
        // The first time at once: it is what a server does that ends, or that has ended a connection.
        if (attempt > 0) await clock.sleep(2 ** (attempt - 1) * 1000 * (1 + 0.1 * random.next()), signal)
        attempt++
      }
    }
    return undefined
  }

  /** The server may speak something else now: it was not reached. */
  forget(): void {
    this.speaksHttp2 = true
  }

  [Symbol.dispose](): void {
    this.#ended.abort(new Error("the client's transport is closed"))
    for (const connection of this.#connections.splice(0)) connection[Symbol.dispose]()
  }

  /** A connection that may be used now; one that was made with another certificate is used no more. */
  #free(): Http2Connection | undefined {
    const tls = this.#options.tls()
    if (!this.#tls || !sameTls(this.#tls, tls)) {
      this.#tls = tls
      for (const connection of this.#connections.splice(0)) connection.drain()
      this.#dialing = undefined
    }
    if (this.#connections.some(({ isUsable }) => !isUsable))
      this.#connections = this.#connections.filter(({ isUsable }) => isUsable)
    return this.#connections.find(({ isFree }) => isFree)
  }

  /** One at a time: whoever waits looks again for a free connection. */
  #dial(): Promise<void> {
    if (this.#dialing) return this.#dialing
    const dialing = this.#connect(this.#tls!).finally(() => {
      if (this.#dialing === dialing) this.#dialing = undefined
    })
    this.#dialing = dialing
    return dialing
  }

  async #connect(tls: TlsOptions): Promise<void> {
    const { url, env } = this.#options
    if (this.#connections.length >= maxConnections)
      throw new Error(`all streams of ${maxConnections} connections are in use`)
    const socket = await dial(url, tls, env, this.#ended.signal)
    if (socket.alpnProtocol !== "h2") {
      this.speaksHttp2 = false
      socket.destroy()
      return
    }
    const connection = await Http2Connection.open(socket, url.origin, env.clock)
    if (this.#ended.signal.aborted) connection[Symbol.dispose]()
    else if (sameTls(this.#tls!, tls)) this.#connections.push(connection)
    else connection.drain()
    this.#ended.signal.throwIfAborted()
  }
}

/** The TLS connection with the protocol that the server chose. */
function dial(
  url: URL,
  tls: TlsOptions,
  { clock }: Http2PoolOptions["env"],
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, "")
  const servername = tls.servername ?? (isIP(host) ? undefined : host)
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(url.port || 443),
      ALPNProtocols: ["h2", "http/1.1"],
      // A certificate that a kubeconfig trusts need not be a root, as in Go.
      allowPartialTrustChain: true,
      ...tls,
      ...(servername === undefined ? {} : { servername }),
    })
    socket.setNoDelay(true)
    const stop = (): void => void socket.destroy(signal.reason)
    signal.addEventListener("abort", stop, { once: true })
    const timer = clock.timer(dialLimitMs, () => {
      const error = new TimeoutError(`a connection to ${url.host}`, dialLimitMs)
      socket.destroy(Object.assign(error, { code: "ETIMEDOUT" }))
    })
    const settle = (): void => {
      timer[Symbol.dispose]()
      signal.removeEventListener("abort", stop)
    }
    socket.once("error", reject)
    socket.once("close", settle)
    socket.once("secureConnect", () => {
      settle()
      socket.off("error", reject)
      resolve(socket)
    })
  })
}

function sameTls(a: TlsOptions, b: TlsOptions): boolean {
  return (
    a === b ||
    (a.cert === b.cert &&
      a.key === b.key &&
      a.ca === b.ca &&
      a.servername === b.servername &&
      a.rejectUnauthorized === b.rejectUnauthorized)
  )
}
