/**
 * One request and its answer, over HTTP/1.1 (node:http) or HTTP/2 (packages/http2). Everything that a plain GET does
 * not need is made on first use.
 */
import { ServerResponse, validateHeaderName, validateHeaderValue, type IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import type { Duplex, Readable } from "node:stream"
import type { TLSSocket } from "node:tls"
import { ByteQueue, CancelledError, abortable, deferred, destroySoon, type Deferred } from "@knarr/base"
import { errorCodes, type BodySink, type ServerSession, type ServerStream } from "@knarr/http2"
import { badRequest, requestEntityTooLarge, tooManyRequests, type StatusError } from "@knarr/apimachinery"
import type { AuditRecord } from "../audit/record.ts"
import type { Flow } from "../fairness/flow.ts"
import { distinctImpersonation } from "../authn/impersonation.ts"
import type { Exchange, ResponseStream } from "../contract.ts"

/** The longest request body that is read. */
const maxBodyBytes: number = 3 * 1024 * 1024
/** The most of an unwanted body that is read to keep its connection. */
const maxDiscardedBytes = 256 * 1024

/** The raw connection of a request that asks to become another protocol (HTTP/1.1 only). */
export interface Upgrade {
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** What the client has sent behind the request's head. */
  readonly head: Buffer
  /** Takes the socket for the other protocol: from here on the exchange answers nothing, and ends with the socket. */
  detach(): void
}

/** What the filters know of a request beside the {@link Exchange} contract. */
export abstract class ServerExchange implements Exchange {
  readonly method: string
  readonly path: string
  /** With its question mark; "" when there is none. */
  readonly search: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly rawHeaders: readonly string[]
  readonly socket: TLSSocket | undefined
  /** Texts for `Warning` headers; sent with the answer. */
  readonly warnings: string[] = []
  /** What the request is known by in audit logs, here and at servers that it is passed on to. */
  auditId = ""
  /** The answer's status; 0 before it begins. */
  status = 0
  /** Bytes of body in the answer so far. */
  sentBytes = 0
  /** Bytes of body in the request, as far as they were read. */
  bodyBytes = 0
  /** Called once, when the answer is complete or broken off. */
  onFinished: ((exchange: ServerExchange) => void) | undefined
  /** The record of the request, if there is one. */
  audit: AuditRecord | undefined
  /** By which its place among others is decided; undefined where none is. */
  flow: Flow | undefined
  /** Told once, when an answer begins. */
  onAnswer: ((status: number) => void) | undefined
  /** Asked for each piece of the body; false: there is no room for it, and the body is refused with a 429. */
  takeBody: ((bytes: number) => boolean) | undefined
  /** Told what a {@link guard}ed callback threw; answers, or breaks the answer off. */
  onFailure: ((thrown: unknown) => void) | undefined
  #query: URLSearchParams | undefined
  #controller: AbortController | undefined
  #abortReason: { reason: unknown } | undefined
  #body: Promise<Buffer> | undefined
  #finished = false

  protected constructor(
    method: string,
    url: string,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    rawHeaders: readonly string[],
    socket: TLSSocket | undefined,
  ) {
    const mark = url.indexOf("?")
    this.method = method
    this.path = mark < 0 ? url : url.slice(0, mark)
    this.search = mark < 0 ? "" : url.slice(mark)
    this.headers = distinctImpersonation(headers, rawHeaders)
    this.rawHeaders = rawHeaders
    this.socket = socket
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.search)
    return this.#query
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#abortReason) this.#controller.abort(this.#abortReason.reason)
    }
    return this.#controller.signal
  }

  /** True once the client is gone, the server stops or the time is over. */
  get aborted(): boolean {
    return this.#abortReason !== undefined
  }

  /** Aborts the request's signal. Does not answer. */
  abortSignal(reason: unknown): void {
    if (this.#abortReason) return
    this.#abortReason = { reason }
    this.#controller?.abort(reason)
  }

  body(): Promise<Buffer> {
    this.#body ??= this.readBody()
    return this.#body
  }

  /** `callback` for events about this request: what it throws fails the request, and nothing else. */
  guard<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void {
    return (...args) => {
      try {
        callback(...args)
      } catch (thrown) {
        if (this.onFailure) this.onFailure(thrown)
        else this.destroy()
      }
    }
  }

  /** Lets the client go to another connection with what it asks next; what is under way stays. */
  sendAway(): void {}

  /** Set when the request asks to become another protocol and its path has a handler for that. */
  get upgrade(): Upgrade | undefined {
    return undefined
  }

  /** The first value of a header. */
  header(name: string): string {
    const value = this.headers[name]
    return value === undefined ? "" : typeof value === "string" ? value : (value[0] ?? "")
  }

  /** An answer begins. */
  protected begin(status: number): void {
    this.status = status
    this.onAnswer?.(status)
  }

  /** The whole answer has been handed over, or there will be none. */
  protected finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.onFinished?.(this)
    this.onFinished = undefined
  }

  protected clientGone(): void {
    if (this.#finished) return
    this.abortSignal(new CancelledError("The request"))
    this.finish()
  }

  /** True when an answer has begun. */
  get answered(): boolean {
    return this.status !== 0
  }

  /** The body as it comes, without a bound; instead of {@link body}. */
  abstract bodyStream(): Readable
  protected abstract readBody(): Promise<Buffer>
  /** Throws a TypeError when the value cannot be sent. */
  abstract setHeader(name: string, value: string): void
  abstract respond(status: number, contentType: string, body: Buffer | string): void
  /**
   * Begins an answer in pieces, with further headers that may come from anywhere. Throws, and leaves the exchange
   * unanswered, when the protocol cannot carry the status or a header.
   */
  abstract stream(status: number, contentType: string, headers?: readonly HeaderLine[]): ResponseStream
  /** Breaks the answer off. */
  abstract destroy(): void
}

export type HeaderLine = readonly [name: string, value: string]

/** Gathers a body of `declared` octets, or of any number: a promise of it, and what takes its pieces. */
function bodyCollector(
  declared: number,
  take: ((bytes: number) => boolean) | undefined,
): { readonly body: Promise<Buffer>; readonly sink: BodySink } {
  const { promise: body, resolve, reject } = deferred<Buffer>()
  let bytes: ByteQueue | undefined = new ByteQueue()
  const refuse = (error: StatusError): void => {
    bytes = undefined
    reject(error)
  }
  const tooLarge = (): void => refuse(requestEntityTooLarge(`limit is ${maxBodyBytes}`))
  if (declared > maxBodyBytes) tooLarge()
  const sink: BodySink = {
    data(chunk) {
      // What is not wanted is read away.
      if (!bytes) return true
      if (bytes.length + chunk.length > maxBodyBytes) tooLarge()
      else if (take && !take(chunk.length))
        refuse(tooManyRequests("Too many requests, please try again later.", 1))
      else bytes.add(chunk)
      return true
    },
    end() {
      if (bytes) resolve(bytes.take())
    },
    failed: (reason) =>
      reject(
        badRequest(
          reason instanceof CancelledError
            ? "the request body ended early"
            : `the request body could not be read: ${reason.message}`,
        ),
      ),
  }
  return { body, sink }
}

const quoteUnsafe = /[\\"]/g

/** Characters of all warnings together; when there are more, each is cut and the last ones are left out. */
const maxWarnings = 4096
const maxWarning = 256

/** The `Warning` headers of an answer, on every protocol alike. */
function warningHeaders(texts: readonly string[]): string[] {
  return texts.length === 0 ? [] : sentWarnings(texts).map(warningHeader)
}

/** What is sent of the warnings. Mirrors: apiserver pkg/endpoints/filters/warning.go */
function sentWarnings(texts: readonly string[]): readonly string[] {
  const distinct = [...new Set(texts)].map((text) => Array.from(text))
  let total = 0
  for (const { length } of distinct) total += length
  if (total <= maxWarnings) return distinct.map((text) => text.join(""))
  const out: string[] = []
  total = 0
  for (const text of distinct) {
    if (total >= maxWarnings) break
    const kept = text.slice(0, maxWarning)
    total += kept.length
    out.push(kept.join(""))
  }
  return out
}

/** A `Warning` header's value. Mirrors: apimachinery pkg/util/net/http.go NewWarningHeader */
function warningHeader(text: string): string {
  // eslint-disable-next-line no-control-regex
  const clean = text.replace(/[\u0000-\u001f\u007f]+/g, " ")
  return `299 - "${Buffer.from(clean.replace(quoteUnsafe, "\\$&"), "utf8").toString("latin1")}"`
}

/** A request on HTTP/1.1. */
export class Http1Exchange extends ServerExchange {
  readonly request: IncomingMessage
  readonly #response: ServerResponse
  readonly #upgrade: Upgrade | undefined
  #headers: string[] | undefined

  constructor(request: IncomingMessage, response: ServerResponse, raw?: { socket: Duplex; head: Buffer }) {
    super(
      request.method ?? "GET",
      request.url ?? "/",
      request.headers,
      request.rawHeaders,
      request.socket as TLSSocket,
    )
    this.request = request
    this.#response = response
    response.on("error", ignore)
    response.on("close", () => (response.writableFinished ? this.finish() : this.clientGone()))
    if (!raw) return
    const { socket } = raw
    this.#upgrade = {
      request,
      ...raw,
      detach: () => {
        this.begin(101)
        response.detachSocket(socket as Socket)
        if (socket.destroyed) this.clientGone()
        else socket.once("close", () => this.clientGone())
      },
    }
  }

  /**
   * A request whose connection node:http has let go of, because it asks for another protocol. Undefined when node:http
   * itself has not finished answering what came before on it: a request without host, which ends the connection.
   */
  static ofUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Http1Exchange | undefined {
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    try {
      response.assignSocket(socket as Socket)
    } catch {
      return undefined
    }
    // Nobody else ends it when the request is refused.
    response.on("finish", () => destroySoon(socket))
    const exchange = new Http1Exchange(request, response, { socket, head })
    exchange.setHeader("Connection", "close")
    return exchange
  }

  override get upgrade(): Upgrade | undefined {
    return this.#upgrade
  }

  bodyStream(): Readable {
    return this.request
  }

  protected readBody(): Promise<Buffer> {
    const { request } = this
    if (request.headers["content-length"] === undefined && request.headers["transfer-encoding"] === undefined)
      return Promise.resolve(Buffer.alloc(0))
    const { body, sink } = bodyCollector(Number(request.headers["content-length"] ?? 0), this.takeBody)
    request.on("data", (chunk: Buffer) => sink.data(chunk))
    request.on("end", () => sink.end())
    request.on("error", (error) => sink.failed(error))
    request.on("close", () => sink.failed(new CancelledError("The request")))
    return body
  }

  setHeader(name: string, value: string): void {
    validateHeaderValue(name, value)
    this.#headers ??= []
    this.#headers.push(name, value)
  }

  #head(contentType: string): string[] {
    const headers = this.#headers ? [...this.#headers] : []
    if (contentType !== "") headers.push("Content-Type", contentType)
    for (const value of warningHeaders(this.warnings)) headers.push("Warning", value)
    return headers
  }

  respond(status: number, contentType: string, body: Buffer | string): void {
    if (this.answered) return
    this.begin(status)
    const headers = this.#head(contentType)
    const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : body
    if (status !== 304 && status !== 204) headers.push("Content-Length", String(bytes.length))
    this.sentBytes = bytes.length
    const response = this.#response
    if (!this.request.complete) {
      // What is left of a body that nobody read is read away, unless it is too much: then the connection ends.
      const { "content-length": declared = "0", "transfer-encoding": chunked } = this.request.headers
      if (chunked !== undefined || Number(declared) > maxDiscardedBytes) response.shouldKeepAlive = false
      this.request.resume()
    }
    response.writeHead(status, headers)
    if (this.method === "HEAD" || bytes.length === 0) response.end()
    else response.end(bytes)
  }

  stream(status: number, contentType: string, more: readonly HeaderLine[] = []): ResponseStream {
    const response = this.#response
    if (this.answered) throw new Error("Cannot stream an answer: it has begun already")
    const headers = this.#head(contentType)
    for (const [name, value] of more) headers.push(name, value)
    requireStatus(status, 999)
    for (const [name, value] of more) {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    }
    response.writeHead(status, headers)
    this.begin(status)
    response.flushHeaders()
    return new Http1Stream(this, response)
  }

  destroy(): void {
    this.#response.destroy()
    this.#upgrade?.socket.destroy()
  }
}

/** A request on HTTP/2. */
export class Http2Exchange extends ServerExchange {
  readonly #stream: ServerStream
  readonly #session: ServerSession
  readonly #headers = new Map<string, string>()

  constructor(stream: ServerStream, session: ServerSession) {
    super(
      stream.headers[":method"] as string,
      stream.headers[":path"] as string,
      stream.headers,
      stream.rawHeaders,
      session.socket as TLSSocket,
    )
    this.#stream = stream
    this.#session = session
    stream.onClose = (complete) => (complete ? this.finish() : this.clientGone())
  }

  bodyStream(): Readable {
    return this.#stream.readable()
  }

  protected readBody(): Promise<Buffer> {
    const stream = this.#stream
    if (stream.bodiless) return Promise.resolve(Buffer.alloc(0))
    const { body, sink } = bodyCollector(Number(this.header("content-length")), this.takeBody)
    stream.consume(sink)
    return body
  }

  setHeader(name: string, value: string): void {
    validateHeaderValue(name, value)
    this.#headers.set(name.toLowerCase(), value)
  }

  #head(contentType: string): string[] {
    if (contentType !== "") this.#headers.set("content-type", contentType)
    const headers: string[] = []
    for (const [name, value] of this.#headers) headers.push(name, value)
    for (const value of warningHeaders(this.warnings)) headers.push("warning", value)
    return headers
  }

  respond(status: number, contentType: string, body: Buffer | string): void {
    const stream = this.#stream
    if (this.answered) return
    this.begin(status)
    const headers = this.#head(contentType)
    const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : body
    if (status !== 304 && status !== 204) headers.push("content-length", String(bytes.length))
    this.sentBytes = bytes.length
    const bodiless = this.method === "HEAD" || bytes.length === 0
    stream.respond(status, headers, bodiless)
    if (!bodiless) stream.end(bytes)
  }

  stream(status: number, contentType: string, more: readonly HeaderLine[] = []): ResponseStream {
    const stream = this.#stream
    if (this.answered) throw new Error("Cannot stream an answer: it has begun already")
    requireStatus(status, 599)
    const added: string[] = []
    for (const [name, value] of more) {
      validateHeaderName(name)
      validateHeaderValue(name, value)
      added.push(name.toLowerCase(), value)
    }
    stream.respond(status, [...this.#head(contentType), ...added])
    this.begin(status)
    return new Http2Stream(this, stream)
  }

  override sendAway(): void {
    this.#session.sendAway()
  }

  destroy(): void {
    // Closing would end the body in order first, and an answer without a length would look whole.
    this.#stream.reset(errorCodes.internalError)
  }
}

/** What is informational has no body, and does not end a request; node:http sends up to 999, node:http2 up to 599. */
function requireStatus(status: number, highest: number): void {
  if (!(status >= 200 && status <= highest)) throw new RangeError(`The status ${status} cannot be an answer`)
}

class Http1Stream implements ResponseStream {
  readonly #exchange: Http1Exchange
  readonly #response: ServerResponse

  constructor(exchange: Http1Exchange, response: ServerResponse) {
    this.#exchange = exchange
    this.#response = response
  }

  write(chunk: Buffer, done?: (error?: Error | null) => void): boolean {
    this.#exchange.sentBytes += chunk.length
    if (this.#response.destroyed) return notSent(done)
    return this.#response.write(chunk, done)
  }

  get pendingBytes(): number {
    return this.#response.writableLength
  }

  drained(signal: AbortSignal): Promise<void> {
    return drained(this.#response, signal)
  }

  end(): void {
    this.#response.end()
  }

  abort(): void {
    this.#exchange.destroy()
  }
}

class Http2Stream implements ResponseStream {
  readonly #exchange: Http2Exchange
  readonly #stream: ServerStream
  #drain: Deferred<void> | undefined

  constructor(exchange: Http2Exchange, stream: ServerStream) {
    this.#exchange = exchange
    this.#stream = stream
    stream.onDrain = () => {
      this.#drain?.resolve()
      this.#drain = undefined
    }
  }

  write(chunk: Buffer, done?: (error?: Error | null) => void): boolean {
    this.#exchange.sentBytes += chunk.length
    return this.#stream.write(chunk, done)
  }

  get pendingBytes(): number {
    return this.#stream.pendingBytes
  }

  async drained(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#stream.needsDrain) return
    this.#drain ??= deferred()
    await abortable(this.#drain.promise, signal)
  }

  end(): void {
    this.#stream.end()
  }

  abort(): void {
    this.#exchange.destroy()
  }
}

function notSent(done: ((error?: Error | null) => void) | undefined): false {
  done?.(new CancelledError("The request"))
  return false
}

async function drained(target: ServerResponse, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (target.destroyed || !target.writableNeedDrain) return
  const done = deferred()
  const wake = (): void => done.resolve()
  target.once("drain", wake)
  target.once("close", wake)
  try {
    await abortable(done.promise, signal)
  } finally {
    target.off("drain", wake)
    target.off("close", wake)
  }
}

function ignore(): void {}
