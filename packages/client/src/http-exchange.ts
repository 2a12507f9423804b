/** A request to an API server and what comes of it. */
import type { IncomingHttpHeaders } from "node:http"
import type { Readable, Writable } from "node:stream"

export interface HttpRequest {
  readonly method: string
  /** Path and query, beginning with "/". */
  readonly path: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined
  /** What comes as a stream is sent as it comes, once: a request that the server refused to look at is not sent again. */
  readonly body?: string | Buffer | Readable | undefined
  /** Breaks the request off, and the reading of its answer, and nothing else on the connection. */
  readonly signal?: AbortSignal | undefined
}

export interface HttpResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The body in pieces, as it comes. Leaving the loop early breaks the request off. Throws when it was cut short. */
  readonly body: AsyncIterable<Buffer>
  /** The whole body. */
  buffer(): Promise<Buffer>
}

/** Whether a body comes in pieces. */
export function isStreamed(body: HttpRequest["body"]): body is Readable {
  return body !== undefined && typeof body !== "string" && !Buffer.isBuffer(body)
}

/** Ends the request with its body, or when the body has come; `fail` is told what breaks it off. */
export function sendBody(request: Writable, body: HttpRequest["body"], fail: (error: Error) => void): void {
  if (!isStreamed(body)) return void (body === undefined ? request.end() : request.end(body))
  body.on("error", fail)
  body.pipe(request)
}
