/** The client over HTTPS. */
import { asError, type Clock, type Env, parseJson, systemClock, withTimeout } from "@knarr/base"
import {
  deepFreeze,
  genericServerResponse,
  statusErrorFrom,
  type Kind,
  type KubeObject,
  type Status,
} from "@knarr/apimachinery"
import type {
  CallOptions,
  Client,
  DeleteOptions,
  ListOptions,
  ObjectList,
  PatchType,
  Ref,
  SubresourceOptions,
  UpdateOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./client.ts"
import { readDiscovery, type ServedVersion } from "./discovery.ts"
import { collectionPath, objectPath, queryText } from "./paths.ts"
import { RequestMetrics } from "./request-metrics.ts"
import { Refusal, retried } from "./rest-retry.ts"
import type { Transport } from "./transport.ts"
import type { HttpRequest, HttpResponse } from "./http-exchange.ts"

export interface RestClientOptions {
  readonly transport: Transport
  /** Where requests are counted. Default: nowhere, on the machine's own clock. */
  readonly env?: Pick<Env, "clock" | "meter">
  /** How long a request that is no watch may take, its answer included. Default 70,000: the server's own limit is 60 s. */
  readonly timeoutMs?: number
  /** Default for `fieldManager`: what the server takes from the user agent. */
  readonly fieldManager?: string
  readonly impersonate?: {
    readonly name: string
    readonly groups?: readonly string[]
    readonly userAgent?: string
  }
}

const patchContentType: Record<PatchType, string> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
}

const defaultTimeoutMs = 70_000

export function createRestClient(options: RestClientOptions): Client {
  return new RestClient(options)
}

class RestClient implements Client {
  readonly #options: RestClientOptions
  readonly #metrics: RequestMetrics | undefined
  readonly #clock: Clock
  readonly #headers: Readonly<Record<string, string | readonly string[]>>

  constructor(options: RestClientOptions) {
    this.#options = options
    const { impersonate, env, transport } = options
    this.#clock = env?.clock ?? systemClock
    this.#metrics = env && new RequestMetrics(env, transport.server)
    this.#headers = {
      accept: "application/json",
      ...(impersonate ? { "impersonate-user": impersonate.name } : {}),
      ...(impersonate?.groups?.length ? { "impersonate-group": impersonate.groups } : {}),
      ...(impersonate?.userAgent ? { "user-agent": impersonate.userAgent } : {}),
    }
  }

  get<T extends KubeObject>(
    kind: Kind<T>,
    ref: Ref,
    options: { resourceVersion?: string | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const query = queryText({ resourceVersion: options.resourceVersion })
    return this.#object(kind, { method: "GET", path: objectPath(kind, ref) + query, signal: options.signal })
  }

  async list<T extends KubeObject>(kind: Kind<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const { namespace, signal, ...query } = options
    const path = collectionPath(kind, namespace) + queryText(query)
    const list = await this.#json<{ metadata: ObjectList<T>["metadata"]; items: T[] | null }>({
      method: "GET",
      path,
      signal,
    })
    const items = list.items ?? []
    for (const item of items) received(item, kind)
    return { metadata: list.metadata, items }
  }

  async *watch<T extends KubeObject>(kind: Kind<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const { namespace, signal, ...query } = options
    const resourceVersionMatch = query.sendInitialEvents ? "NotOlderThan" : undefined
    const path = collectionPath(kind, namespace) + queryText({ watch: true, ...query, resourceVersionMatch })
    const watched: HttpRequest = { method: "GET", path, signal }
    const response = await retried(this.#clock, watched, () => this.#send(watched))
    for await (const line of lines(response.body)) {
      const event = parseJson(line) as WatchEvent<T>
      if (event.type !== "ERROR") received(event.object, kind)
      yield event
    }
  }

  create<T extends KubeObject>(
    kind: Kind<T>,
    obj: { metadata?: { namespace?: string | undefined } },
    options: WriteOptions = {},
  ): Promise<T> {
    const path = collectionPath(kind, obj.metadata?.namespace) + this.#writeQuery(options)
    const body = { ...obj, apiVersion: kind.apiVersion, kind: kind.kind }
    return this.#object(kind, { method: "POST", path, ...jsonBody(body), signal: options.signal })
  }

  update<T extends KubeObject>(kind: Kind<T>, obj: T, options: UpdateOptions = {}): Promise<T> {
    const path = objectPath(kind, obj.metadata, options.subresource) + this.#writeQuery(options)
    return this.#object(kind, { method: "PUT", path, ...jsonBody(obj), signal: options.signal })
  }

  patch<T extends KubeObject>(
    kind: Kind<T>,
    ref: Ref,
    type: PatchType,
    body: unknown,
    options: UpdateOptions & { force?: boolean | undefined } = {},
  ): Promise<T> {
    const path = objectPath(kind, ref, options.subresource) + this.#writeQuery(options, options.force)
    const headers = { "content-type": patchContentType[type] }
    return this.#object(kind, {
      method: "PATCH",
      path,
      headers,
      body: JSON.stringify(body),
      signal: options.signal,
    })
  }

  delete<T extends KubeObject>(kind: Kind<T>, ref: Ref, options: DeleteOptions = {}): Promise<T | Status> {
    return this.#json({
      method: "DELETE",
      path: objectPath(kind, ref),
      ...deleteBody(options),
      signal: options.signal,
    })
  }

  async deleteCollection<T extends KubeObject>(
    kind: Kind<T>,
    list: ListOptions,
    options: DeleteOptions = {},
  ): Promise<void> {
    const { namespace, signal, ...query } = list
    const path = collectionPath(kind, namespace) + queryText(query)
    await this.#json({ method: "DELETE", path, ...deleteBody(options), signal: options.signal ?? signal })
  }

  createSubresource<R>(
    kind: Kind,
    ref: Ref,
    subresource: string,
    body: unknown,
    options: WriteOptions = {},
  ): Promise<R> {
    const path = objectPath(kind, ref, subresource) + this.#writeQuery(options)
    return this.#json({ method: "POST", path, ...jsonBody(body), signal: options.signal })
  }

  getSubresource<R>(kind: Kind, ref: Ref, subresource: string, options: SubresourceOptions = {}): Promise<R> {
    const path = objectPath(kind, ref, subresource) + queryText(options.query ?? {})
    return this.#json({ method: "GET", path, signal: options.signal })
  }

  discover({ signal }: CallOptions = {}): Promise<readonly ServedVersion[]> {
    return readDiscovery((path, accept) => this.#json({ method: "GET", path, headers: { accept }, signal }))
  }

  as(user: { name: string; groups?: readonly string[]; userAgent?: string }): Client {
    return new RestClient({ ...this.#options, impersonate: user })
  }

  #writeQuery(options: WriteOptions, force?: boolean): string {
    return queryText({
      fieldManager: options.fieldManager ?? this.#options.fieldManager,
      dryRun: options.dryRun ? "All" : undefined,
      fieldValidation: options.fieldValidation,
      force,
    })
  }

  async #object<T extends KubeObject>(kind: Kind<T>, request: HttpRequest): Promise<T> {
    return received(await this.#json<T>(request), kind)
  }

  async #json<R>(request: HttpRequest): Promise<R> {
    const limitMs = this.#options.timeoutMs ?? defaultTimeoutMs
    const body = await retried(this.#clock, request, (signal) =>
      withTimeout(this.#clock, limitMs, `${request.method} ${request.path}`, signal, async (limited) =>
        (await this.#send({ ...request, signal: limited })).buffer(),
      ),
    )
    return JSON.parse(body.toString("utf8")) as R
  }

  async #send(request: HttpRequest): Promise<HttpResponse> {
    const done = this.#metrics?.begin(request.method)
    const response = await this.#options.transport
      .request({ ...request, headers: { ...this.#headers, ...request.headers } })
      .catch((thrown: unknown) => {
        done?.("<error>")
        throw thrown
      })
    done?.(String(response.status))
    if (response.status >= 200 && response.status < 300) return response
    const { status, headers } = response
    const error = statusErrorOf(request, status, await response.buffer(), headers["retry-after"])
    throw new Refusal(error, status, headers["retry-after"])
  }
}

/** The error that an answer outside 2xx means: the Status in it, or one made from the code. */
export function statusErrorOf(
  request: Pick<HttpRequest, "method" | "path">,
  status: number,
  body: Buffer,
  retryAfter?: string,
): Error {
  const text = body.toString("utf8")
  try {
    const value = parseJson(text) as Partial<Status>
    if (value.kind === "Status") return statusErrorFrom(value as Status)
  } catch (thrown) {
    // Not JSON: a proxy or another program answered. The generic error below carries its text.
    void asError(thrown)
  }
  return genericServerResponse(
    status,
    request.method,
    { group: "", resource: "" },
    "",
    text,
    Number(retryAfter ?? 0),
    true,
  )
}

function jsonBody(body: unknown): Pick<HttpRequest, "headers" | "body"> {
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
}

function deleteBody(options: DeleteOptions): Pick<HttpRequest, "headers" | "body"> {
  const { signal: _, dryRun, ...rest } = options
  return jsonBody({
    apiVersion: "v1",
    kind: "DeleteOptions",
    ...rest,
    ...(dryRun ? { dryRun: ["All"] } : {}),
  })
}

/** Makes an object what the contract promises: frozen, and with its type, which items of built-in lists may lack. */
function received<T extends KubeObject>(obj: T, kind: Kind): T {
  obj.apiVersion ||= kind.apiVersion
  obj.kind ||= kind.kind
  return deepFreeze(obj)
}

/** Splits a stream at newlines, decoding whole lines only. */
export async function* lines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer[] = []
  for await (const chunk of chunks) {
    let from = 0
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, at)
      const line = rest.length > 0 ? Buffer.concat([...rest, piece]) : piece
      rest = []
      from = at + 1
      if (line.length > 0) yield line.toString("utf8")
    }
    if (from < chunk.length) rest.push(chunk.subarray(from))
  }
  if (rest.length > 0) yield Buffer.concat(rest).toString("utf8")
}
