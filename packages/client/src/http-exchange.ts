/** A request to an API server and what comes of it. */
import type { IncomingHttpHeaders } from "node:http"

export interface HttpRequest {
  readonly method: string
  /** Path and query, beginning with "/". */
  readonly path: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined
  readonly body?: string | Buffer | undefined
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
