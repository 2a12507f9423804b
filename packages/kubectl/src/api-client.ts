/** Requests to the API server: paths of resources, JSON, the failures and warnings that come back. */
import { type Clock, parseJson, withTimeout } from "@knarr/base"
import { isObject, StatusError } from "@knarr/apimachinery"
import { queryText, statusErrorOf, type HttpResponse, type Transport } from "@knarr/client"
import type { ApiResource } from "./api-resource.ts"
import type { Obj } from "./object.ts"

export type Query = Readonly<Record<string, string | number | boolean | undefined>>

export interface ApiRequest {
  readonly query?: Query | undefined
  readonly accept?: string | undefined
  readonly contentType?: string | undefined
  /** Objects are sent as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
  /** No time limit, whatever `--request-timeout` says. */
  readonly unlimited?: boolean
}

export interface ApiClientOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Milliseconds for one request; 0 for no limit. */
  readonly timeoutMs: number
  /** Called with each warning the server sends. */
  onWarning(text: string): void
}

/** Where a resource's objects are, or one of them, or a subresource of that. */
export function resourcePath(
  resource: Pick<ApiResource, "group" | "version" | "plural" | "namespaced">,
  namespace?: string,
  name?: string,
  subresource?: string,
): string {
  let path = resource.group ? `/apis/${resource.group}/${resource.version}` : `/api/${resource.version}`
  if (resource.namespaced && namespace) path += `/namespaces/${encodeURIComponent(namespace)}`
  path += `/${resource.plural}`
  if (name) path += `/${encodeURIComponent(name)}`
  return subresource ? `${path}/${subresource}` : path
}

export class ApiClient {
  readonly #options: ApiClientOptions

  constructor(options: ApiClientOptions) {
    this.#options = options
  }

  get server(): string {
    return this.#options.transport.server
  }

  /** Sends a request; answers outside 2xx are thrown as {@link StatusError}. */
  async send(method: string, path: string, request: ApiRequest = {}): Promise<HttpResponse> {
    const { transport, clock, timeoutMs } = this.#options
    const signal = request.signal ?? this.#options.signal
    const fullPath = withQuery(path, request.query)
    const body =
      request.body === undefined || typeof request.body === "string" || Buffer.isBuffer(request.body)
        ? (request.body as string | Buffer | undefined)
        : JSON.stringify(request.body)
    const go = (limited: AbortSignal): Promise<HttpResponse> =>
      transport.request({
        method,
        path: fullPath,
        signal: limited,
        headers: {
          accept: request.accept ?? "application/json",
          ...(body === undefined ? {} : { "content-type": request.contentType ?? "application/json" }),
        },
        body,
      })
    const response =
      timeoutMs > 0 && !request.unlimited
        ? await withTimeout(clock, timeoutMs, `${method} ${path}`, signal, go)
        : await go(signal)
    this.#warn(response)
    if (response.status >= 200 && response.status < 300) return response
    throw await failureFrom(method, fullPath, response)
  }

  async json(method: string, path: string, request: ApiRequest = {}): Promise<Obj> {
    const response = await this.send(method, path, request)
    const value: unknown = parseJson((await response.buffer()).toString("utf8"))
    const isText = (field: unknown): boolean => field === undefined || typeof field === "string"
    if (!isObject(value) || !isText(value["kind"]) || !isText(value["apiVersion"]))
      throw new Error(`the server answered ${path} with something that is no object`)
    return value
  }

  get(path: string, query?: Query): Promise<Obj> {
    return this.json("GET", path, { query })
  }

  /** See {@link Transport.webSocket}. */
  webSocket(path: string, protocols: readonly string[]): ReturnType<Transport["webSocket"]> {
    const { transport, signal } = this.#options
    return transport.webSocket({ method: "GET", path, signal }, protocols)
  }

  #warn(response: HttpResponse): void {
    const header = response.headers["warning"] as string | string[] | undefined
    if (!header) return
    const text = Array.isArray(header) ? header.join(", ") : header
    for (const [, message] of text.matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g)) {
      this.#options.onWarning(message!.replace(/\\(.)/g, "$1"))
    }
  }
}

function withQuery(path: string, query: Query | undefined): string {
  const text = queryText(query ?? {})
  return path.includes("?") ? path + text.replace("?", "&") : path + text
}

/** The failure that an answer outside 2xx stands for. */
export async function failureFrom(method: string, path: string, response: HttpResponse): Promise<Error> {
  const body = await response.buffer()
  const error = statusErrorOf({ method, path }, response.status, body, response.headers["retry-after"])
  if (error instanceof StatusError) return error
  return error
}
