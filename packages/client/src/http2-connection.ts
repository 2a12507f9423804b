/**
 * One HTTP/2 connection to a server: many requests at once, each a stream of its own.
 * Mirrors: golang.org/x/net/http2 transport.go (ClientConn)
 */
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from "node:http2"
import type { TLSSocket } from "node:tls"
import { deferred, type Clock } from "@knarr/base"
import { sendBody, type HttpRequest, type HttpResponse } from "./http-exchange.ts"

/** A connection from which nothing came for so long is asked whether it lives. */
const readIdleMs = 30_000
/** One that does not answer within this time is given up. */
const pingTimeoutMs = 15_000
/** How often it is looked whether something came, while something is asked. */
const silenceCheckMs = 15_000
/**
 * What may be under way in one stream that nobody reads; the connection's own window is never the limit, so that
 * such a stream stops no other.
 */
const streamWindowBytes = 4 * 1024 * 1024
const connectionWindowBytes = 2 ** 30
const { NGHTTP2_NO_ERROR, NGHTTP2_CANCEL, NGHTTP2_REFUSED_STREAM } = constants

/** The server has not begun with the request: it may be sent again, whatever it is. */
export class NotProcessedError extends Error {
  constructor(cause: unknown) {
    super("the server refused the request before it looked at it", { cause })
    this.name = "NotProcessedError"
  }
}

/** Requests that are sent to a server as HTTP/2 has them, without what belongs to one HTTP/1.1 connection. */
const ofOneConnection = new Set([
  "connection",
  "host",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
])

export class Http2Connection implements Disposable {
  readonly #clock: Clock
  readonly #socket: TLSSocket
  readonly #session: ClientHttp2Session
  readonly #streams = new Set<ClientHttp2Stream>()
  /** Streams after this one were not begun by a server that is going away. */
  #lastStream = Infinity
  /** The server said that it goes away. */
  #isLeaving = false
  #failure: Error | undefined
  /** What had been read when something was last seen to have come, and when that was. */
  #bytesRead = 0
  #readAtMs: number
  #silence: Disposable | undefined
  #ping: Disposable | undefined

  private constructor(socket: TLSSocket, session: ClientHttp2Session, clock: Clock) {
    this.#socket = socket
    this.#session = session
    this.#clock = clock
    this.#readAtMs = clock.monotonic()
    session.setLocalWindowSize(connectionWindowBytes)
    session.on("error", (error: Error) => this.#end(error))
    session.on("close", () => this.#end(connectionLost()))
    session.on("goaway", (_code: number, lastStream: number) => {
      this.#isLeaving = true
      this.#lastStream = lastStream
    })
  }

  /** Speaks HTTP/2 on `socket`. Resolves when the server has said what it allows; rejects when it says something else. */
  static async open(socket: TLSSocket, server: string, clock: Clock): Promise<Http2Connection> {
    const session = connect(server, {
      createConnection: () => socket,
      settings: { initialWindowSize: streamWindowBytes, enablePush: false },
      // The default of 10 MB counts what is read for all streams, and refuses new ones when that is much.
      maxSessionMemory: 512,
      // How many may be open at once is the caller's to keep: no stream waits in here.
      maxReservedRemoteStreams: 0,
    })
    const connection = new Http2Connection(socket, session, clock)
    const ready = deferred()
    session.once("remoteSettings", () => ready.resolve())
    session.once("close", () => ready.reject(connection.#failure))
    await ready.promise
    if (connection.#streams.size === 0) session.unref()
    return connection
  }

  /** Whether one more request may be sent on it now. */
  get isFree(): boolean {
    return (
      this.isUsable && this.#streams.size < (this.#session.remoteSettings.maxConcurrentStreams ?? Infinity)
    )
  }

  /** Whether it takes requests at all, now or when others have ended. */
  get isUsable(): boolean {
    return !this.#isLeaving && !this.#session.closed && !this.#session.destroyed
  }

  /** Takes no more requests, and ends when the last one has. */
  drain(): void {
    this.#session.close()
  }

  [Symbol.dispose](): void {
    this.#session.destroy()
  }

  /**
   * Sends a request now; resolves with the head of its answer. Rejects with a {@link NotProcessedError}, with the
   * signal's reason, or with what ended the stream.
   */
  request(request: HttpRequest, path: string, headers: HttpRequest["headers"]): Promise<HttpResponse> {
    const { signal, body } = request
    const sent: OutgoingHttpHeaders = { ":method": request.method, ":path": path }
    for (const name in headers)
      if (!ofOneConnection.has(name.toLowerCase())) sent[name] = headers[name] as string | string[]
    const stream = this.#open(sent, body === undefined)
    const answer = deferred<HttpResponse>()
    let failure: Error | undefined
    const onAbort = (): void => cancel(stream)
    signal?.addEventListener("abort", onAbort, { once: true })
    stream.on("error", (error: Error) => {
      failure = error
    })
    const why = (): unknown => (signal?.aborted ? signal.reason : this.#whyEnded(stream, failure))
    stream.once("response", (received) => answer.resolve(responseOf(stream, received, why)))
    stream.once("close", () => {
      signal?.removeEventListener("abort", onAbort)
      this.#closed(stream)
      answer.reject(why())
    })
    if (body !== undefined)
      sendBody(stream, body, (error) => {
        failure = error
        cancel(stream)
      })
    return answer.promise
  }

  #open(headers: OutgoingHttpHeaders, endStream: boolean): ClientHttp2Stream {
    const stream = this.#session.request(headers, { endStream })
    if (this.#streams.size === 0) this.#begin()
    this.#streams.add(stream)
    return stream
  }

  #closed(stream: ClientHttp2Stream): void {
    this.#streams.delete(stream)
    if (this.#streams.size > 0) return
    this.#silence?.[Symbol.dispose]()
    this.#silence = undefined
    if (!this.#session.destroyed) this.#session.unref()
  }

  #whyEnded(stream: ClientHttp2Stream, failure: Error | undefined): Error {
    const error = this.#failure ?? failure ?? connectionLost()
    const isBegun = Boolean(stream.id) && stream.id! <= this.#lastStream
    return isBegun && stream.rstCode !== NGHTTP2_REFUSED_STREAM ? error : new NotProcessedError(error)
  }

  // ── whether it lives ──

  #begin(): void {
    this.#session.ref()
    this.#checkSilence()
  }

  #checkSilence(): void {
    const { bytesRead } = this.#socket
    const now = this.#clock.monotonic()
    if (bytesRead !== this.#bytesRead) {
      this.#bytesRead = bytesRead
      this.#readAtMs = now
    } else if (now - this.#readAtMs >= readIdleMs) this.#sendPing()
    this.#silence = this.#clock.timer(silenceCheckMs, () => this.#checkSilence())
  }

  #sendPing(): void {
    if (this.#ping) return
    this.#ping = this.#clock.timer(pingTimeoutMs, () => this.#session.destroy(connectionLost()))
    this.#session.ping(() => this.#endPing())
  }

  #endPing(): void {
    this.#ping?.[Symbol.dispose]()
    this.#ping = undefined
  }

  #end(error: Error): void {
    this.#failure ??= error
    this.#silence?.[Symbol.dispose]()
    this.#endPing()
  }
}

function cancel(stream: ClientHttp2Stream): void {
  stream.close(NGHTTP2_CANCEL)
  stream.destroy()
}

function connectionLost(): Error {
  return Object.assign(new Error("http2: client connection lost"), { code: "ECONNRESET" })
}

function responseOf(
  stream: ClientHttp2Stream,
  received: IncomingHttpHeaders & IncomingHttpStatusHeader,
  why: () => unknown,
): HttpResponse {
  const { ":status": status = 0, ...headers } = received
  const body = async function* (): AsyncGenerator<Buffer> {
    let isRead = false
    try {
      for await (const chunk of stream.iterator({ destroyOnReturn: false })) yield chunk as Buffer
      isRead = true
    } catch {
      throw why()
    } finally {
      if (!isRead) cancel(stream)
    }
    // A stream that was broken off may look as if it had ended.
    if (stream.rstCode !== NGHTTP2_NO_ERROR) throw why()
  }
  return {
    status,
    headers,
    body: { [Symbol.asyncIterator]: body },
    async buffer() {
      const chunks: Buffer[] = []
      for await (const chunk of body()) chunks.push(chunk)
      return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    },
  }
}
