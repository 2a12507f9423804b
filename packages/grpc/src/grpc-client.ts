/**
 * A gRPC client on a unix socket or a TCP port: calls by path, messages as bytes, one HTTP/2 connection that is opened by the
 * first call and again by the first one after it broke. A call on a socket where nobody listens fails at once.
 * Mirrors: grpc doc/PROTOCOL-HTTP2.md
 */
import { abortable, deferred, messageOf, type Clock, type Deferred } from "@knarr/base"
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from "node:http2"
import { createConnection, isIP, type Socket } from "node:net"
import { connect as connectTls, type ConnectionOptions } from "node:tls"
import { decodeGrpcMessage, FrameReader, frameMessage } from "./grpc-frames.ts"
import { codeOfHttpStatus, codeOfReset, GrpcError, grpcCodes } from "./grpc-status.ts"

const maxMessageBytes = 64 * 1024 * 1024

/** What a stream may hold that its reader has not taken; then the server has to wait. */
const windowBytes = 1024 * 1024

/** What all streams of a connection may hold together. */
const connectionWindowBytes = 16 * 1024 * 1024

export interface GrpcCallOptions {
  readonly signal: AbortSignal
  /** Metadata; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  /** The call's deadline, told to the server too; default: none. */
  readonly timeoutMs?: number
}

export interface GrpcClient {
  /** Rejects with a {@link GrpcError}, or with `signal.reason` when the signal is aborted first. */
  unary(path: string, request: Uint8Array, options: GrpcCallOptions): Promise<Uint8Array>
  /** Starts a call that is answered by a stream. */
  stream(path: string, request: Uint8Array, options: GrpcCallOptions): GrpcStream
  /** Starts a call whose requests are a stream, too. */
  duplex(path: string, options: GrpcCallOptions): GrpcDuplex
  /** Lets go of the socket; calls that wait for their answers still get them. Idempotent. */
  close(): void
}

/** A server's stream. It goes on until it ends or the signal of its call is aborted. */
export interface GrpcStream {
  /**
   * The next message, or undefined at the end. Rejects with a {@link GrpcError} when the stream breaks, with the
   * reason of the call's signal when that is aborted, and with `signal.reason`.
   */
  next(signal: AbortSignal): Promise<Uint8Array | undefined>
  /** Ends the call: whoever waits for its next message gets `error`, or why it ended before. */
  fail(error: unknown): void
}

/** A stream in both directions. */
export interface GrpcDuplex extends GrpcStream {
  /** What is sent waits in the call until the server takes it: its bound is the caller's. */
  send(request: Uint8Array): void
}

/** A server on a TCP port. */
export interface GrpcServer {
  readonly host: string
  readonly port: number
  /** Of a server that speaks TLS: what it must show, and who the client is. Asked at each connection. */
  readonly tls?: (() => Pick<ConnectionOptions, "ca" | "cert" | "key">) | undefined
}

export interface GrpcClientOptions {
  /** The path of the unix socket, or where the server listens. */
  readonly socket: string | GrpcServer
  readonly clock: Clock
  /**
   * How long a server may be silent while calls wait, before it is asked whether it is there, and how long it may take to
   * say so; default: as long as the connection lasts.
   */
  readonly keepAlive?: { readonly afterMs: number; readonly waitMs: number }
}

export function createGrpcClient({ socket, clock, keepAlive }: GrpcClientOptions): GrpcClient {
  let connection: Connection | undefined
  let closed = false
  const start = (path: string, request: Uint8Array | undefined, options: GrpcCallOptions): Call => {
    options.signal.throwIfAborted()
    if (closed) throw new GrpcError(path, grpcCodes.unavailable, "grpc: the client connection is closing")
    if (!connection?.usable) connection = new Connection(socket, clock, keepAlive)
    return new Call(connection, path, request, options, clock)
  }
  return {
    async unary(path, request, options) {
      const call = start(path, request, options)
      const { signal } = options
      const response = await call.next(signal)
      if (response && !(await call.next(signal))) return response
      throw call.fail(new GrpcError(path, grpcCodes.internal, "the answer is not one message"))
    },
    stream: start,
    duplex: (path, options) => start(path, undefined, options),
    close() {
      closed = true
      connection?.close()
    },
  }
}

type KeepAlive = NonNullable<GrpcClientOptions["keepAlive"]>

/** One HTTP/2 connection. It holds the process only while calls run on it. */
class Connection {
  readonly #target: string | GrpcServer
  readonly #session: ClientHttp2Session
  readonly #clock: Clock
  readonly #keepAlive: KeepAlive | undefined
  #probe: Disposable | undefined
  #connected = false
  #socketError: Error | undefined
  #calls = 0

  constructor(target: string | GrpcServer, clock: Clock, keepAlive: KeepAlive | undefined) {
    this.#target = target
    this.#clock = clock
    this.#keepAlive = keepAlive
    const opened = open(target)
    const ready = typeof target !== "string" && target.tls ? "secureConnect" : "connect"
    opened.once(ready, () => (this.#connected = true)).on("error", (error) => (this.#socketError = error))
    this.#session = connect(authorityOf(target), {
      createConnection: () => opened,
      settings: { enablePush: false, initialWindowSize: windowBytes },
    })
    // Its calls are told.
    this.#session.on("error", () => {})
    this.#session.once("connect", () => this.#session.setLocalWindowSize(connectionWindowBytes))
    this.#session.unref()
  }

  get usable(): boolean {
    return !this.#session.closed && !this.#session.destroyed
  }

  request(headers: Record<string, string>): ClientHttp2Stream {
    const stream = this.#session.request(headers)
    if (this.#calls++ === 0) {
      this.#session.ref()
      this.#watch()
    }
    stream.once("close", () => {
      if (--this.#calls > 0) return
      this.#session.unref()
      this.#probe?.[Symbol.dispose]()
    })
    return stream
  }

  close(): void {
    this.#session.close()
  }

  /** Asks the server again and again whether it is there; a connection that is not answered is over. */
  #watch(): void {
    if (!this.#keepAlive) return
    const { afterMs, waitMs } = this.#keepAlive
    this.#probe = this.#clock.timer(afterMs, () => {
      this.#probe = this.#clock.timer(waitMs, () => {
        this.#socketError ??= new Error("keepalive ping failed to receive ACK within timeout")
        this.#session.destroy()
      })
      const sent = this.usable && this.#session.ping((error) => this.#answered(error))
      if (!sent) this.#probe[Symbol.dispose]()
    })
  }

  #answered(error: Error | null): void {
    this.#probe?.[Symbol.dispose]()
    if (!error && this.#calls > 0) this.#watch()
  }

  /** Whether a server was ever reached: if not, no call was heard. */
  get connected(): boolean {
    return this.#connected
  }

  /** Why a call that failed with `error`, if with any, has no answer. */
  whyBroken(error: Error | undefined): string {
    const cause = this.#socketError ?? error
    const why = cause ? systemText(cause) : "EOF"
    if (this.#connected) return `error reading from server: ${why}`
    const target = this.#target
    const where = typeof target === "string" ? `unix ${target}` : `tcp ${addressOf(target)}`
    return `connection error: desc = "transport: Error while dialing: dial ${where}: connect: ${why}"`
  }
}

function open(target: string | GrpcServer): Socket {
  if (typeof target === "string") return createConnection(target)
  const { host, port, tls } = target
  if (!tls) return createConnection({ host, port, noDelay: true })
  const servername = isIP(host) ? undefined : host
  return connectTls({ ...tls(), host, port, ALPNProtocols: ["h2"], ...(servername ? { servername } : {}) })
}

function addressOf({ host, port }: GrpcServer): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
}

function authorityOf(target: string | GrpcServer): string {
  if (typeof target === "string") return "http://localhost"
  return `${target.tls ? "https" : "http"}://${addressOf(target)}`
}

const systemTexts: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  ECONNREFUSED: "connection refused",
  EACCES: "permission denied",
}

function systemText(error: NodeJS.ErrnoException): string {
  return systemTexts[error.code ?? ""] ?? error.message
}

class Call implements GrpcDuplex {
  readonly #path: string
  readonly #connection: Connection
  readonly #stream: ClientHttp2Stream
  readonly #frames = new FrameReader(maxMessageBytes)
  #headers: IncomingHttpHeaders = {}
  #trailers: IncomingHttpHeaders = {}
  #error: Error | undefined
  #failure: { readonly error: unknown } | undefined
  #closed = false
  #waiting: Deferred<void> | undefined

  constructor(
    connection: Connection,
    path: string,
    request: Uint8Array | undefined,
    { signal, headers, timeoutMs }: GrpcCallOptions,
    clock: Clock,
  ) {
    if (request) checkSize(path, request)
    this.#path = path
    this.#connection = connection
    this.#stream = connection.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      "user-agent": "grpc-knarr",
      te: "trailers",
      ...(timeoutMs === undefined ? {} : { "grpc-timeout": timeoutHeader(timeoutMs) }),
      ...headers,
    })
    const onAbort = (): void => void this.fail(signal.reason)
    const timer =
      timeoutMs === undefined
        ? undefined
        : clock.timer(timeoutMs, () =>
            this.fail(new GrpcError(path, grpcCodes.deadlineExceeded, "context deadline exceeded")),
          )
    signal.addEventListener("abort", onAbort, { once: true })
    this.#stream.on("response", (received) => (this.#headers = received))
    this.#stream.on("trailers", (received) => (this.#trailers = received))
    this.#stream.on("readable", () => this.#wake())
    // What became of the call is read when the stream is closed, which follows every error.
    this.#stream.on("error", (error) => (this.#error = error))
    this.#stream.once("close", () => {
      this.#closed = true
      timer?.[Symbol.dispose]()
      signal.removeEventListener("abort", onAbort)
      this.#wake()
    })
    if (request) this.#stream.end(frameMessage(request))
  }

  send(request: Uint8Array): void {
    checkSize(this.#path, request)
    if (!this.#closed) this.#stream.write(frameMessage(request))
  }

  async next(signal: AbortSignal): Promise<Uint8Array | undefined> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#failure) throw this.#failure.error
      const message = this.#message()
      if (message) return message
      const chunk = this.#stream.read() as Buffer | null
      if (chunk) this.#frames.push(chunk)
      else if (this.#closed) return this.#end()
      else await abortable((this.#waiting ??= deferred()).promise, signal)
    }
  }

  /** Ends the call; returns why it ended, which the first failure decides. */
  fail(error: unknown): unknown {
    this.#failure ??= { error }
    this.#stream.close(constants.NGHTTP2_CANCEL)
    this.#wake()
    return this.#failure.error
  }

  #message(): Buffer | undefined {
    try {
      return this.#frames.next()
    } catch (thrown) {
      throw this.fail(
        new GrpcError(this.#path, grpcCodes.resourceExhausted, messageOf(thrown), { cause: thrown }),
      )
    }
  }

  /** Returns when the server said that all went well; throws what else happened. */
  #end(): undefined {
    const { code, message, unsent = false } = this.#status()
    if (code !== 0) throw this.fail(new GrpcError(this.#path, code, message, { unsent }))
    if (this.#frames.partial) throw this.fail(new GrpcError(this.#path, grpcCodes.internal, "unexpected EOF"))
  }

  #status(): { readonly code: number; readonly message: string; readonly unsent?: boolean } {
    const from = this.#trailers["grpc-status"] === undefined ? this.#headers : this.#trailers
    const code = from["grpc-status"]
    if (code !== undefined) {
      const number = Number(code)
      const known = Number.isInteger(number) && number >= 0
      return {
        code: known ? number : grpcCodes.unknown,
        message: decodeGrpcMessage(String(from["grpc-message"] ?? "")),
      }
    }
    const status = Number(this.#headers[":status"] ?? 200)
    if (status !== 200)
      return {
        code: codeOfHttpStatus(status),
        message: `unexpected HTTP status code received from server: ${status}`,
      }
    if (!this.#connection.usable)
      return {
        code: grpcCodes.unavailable,
        message: this.#connection.whyBroken(this.#error),
        unsent: !this.#connection.connected,
      }
    const reset = this.#stream.rstCode ?? constants.NGHTTP2_NO_ERROR
    if (reset === constants.NGHTTP2_NO_ERROR)
      return { code: grpcCodes.internal, message: "server closed the stream without sending trailers" }
    return { code: codeOfReset(reset), message: `stream terminated by RST_STREAM with error code: ${reset}` }
  }

  #wake(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}

function checkSize(path: string, request: Uint8Array): void {
  if (request.length <= maxMessageBytes) return
  const sizes = `(${request.length} vs. ${maxMessageBytes})`
  throw new GrpcError(path, grpcCodes.resourceExhausted, `trying to send message larger than max ${sizes}`)
}

/** At most eight digits and a unit. */
function timeoutHeader(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms))
  return whole < 1e8 ? `${whole}m` : `${Math.min(Math.ceil(whole / 1000), 99_999_999)}S`
}
