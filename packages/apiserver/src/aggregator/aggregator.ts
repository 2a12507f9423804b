/**
 * Groups that other servers answer for: which they are, what they say that they serve, and how requests get there.
 * Mirrors: kube-aggregator pkg/apiserver/{apiserver,handler_discovery}.go
 */
import { isDeepStrictEqual } from "node:util"
import { apiService, type APIService, type Creatable } from "@knarr/api"
import { messageOf, withTimeout, type Env, type KeyPair, type Scope } from "@knarr/base"
import { createWorkQueue, type Client, type Transport, type WorkQueue } from "@knarr/client"
import type { Authorizer, RequestContext, RequestInfo, UserInfo } from "../contract.ts"
import type { Json } from "../endpoints/openapi-schemas.ts"
import type { ServiceResolver } from "../outbound/service-resolver.ts"
import type { Registry } from "../registry/registry.ts"
import type { ServerExchange } from "../server/exchange.ts"
import { autoRegister } from "./auto-register.ts"
import { keepAvailability } from "./availability.ts"
import { hostedApiService, type HostedVersion } from "./hosted.ts"
import { proxyTo } from "./proxy.ts"
import { readBounded, type Get } from "../outbound/read-bounded.ts"
import { fetchDiscovery, type RemoteDocument, type RemoteResource } from "./remote-discovery.ts"
import { fetchV2, fetchV3Index, type RemoteIndex, type RemoteV2 } from "./remote-openapi.ts"
import { pathOf, remoteOf, type RemoteService } from "./remote-service.ts"
import { RemoteTransports } from "./remote-transports.ts"
import { aggregatorUser, userHeaders } from "./user-headers.ts"
import { userTransport } from "./user-transport.ts"

export interface AggregatorOptions {
  readonly env: Env
  readonly registry: Registry
  /** Acts as the server itself. */
  readonly client: Client
  readonly resolve: ServiceResolver
  readonly authorizer: Authorizer
  /** Who the server is to other servers; undefined: it says nobody's name that they would believe. */
  readonly identity: () => KeyPair | undefined
  /** Groups that this server answers for without storing anything, where no other server does. */
  readonly hosted: readonly HostedVersion[]
}

/** One group and version of another server, as discovery tells of it. */
export interface RemoteVersion {
  readonly group: string
  readonly version: string
  readonly groupPriority: number
  readonly versionPriority: number
  readonly resources: readonly RemoteResource[]
  /** The server did not answer the last time: these may not be all, or not be right. */
  readonly isStale: boolean
}

export interface RemoteOpenApi {
  readonly url: string
  readonly remote: RemoteService
  readonly isOwn: boolean
}

interface Known {
  remote: RemoteService
  resources: readonly RemoteResource[]
  isStale: boolean
  v3: RemoteIndex | undefined
  v2: RemoteV2 | undefined
}

const discoveryLimitMs = 5000
const openApiLimitMs = 60_000
/** How often a server is asked what it serves. */
const refreshMs = 60_000
const retryMs = { first: 500, most: refreshMs }
const workers = 2

export class Aggregator {
  readonly #options: AggregatorOptions
  readonly #transports: RemoteTransports
  /** By the APIService's name, `<version>.<group>`. */
  readonly #known = new Map<string, Known>()
  /** What each service said last, for all of its versions. */
  readonly #documents = new Map<string, RemoteDocument>()
  readonly #watchers = new Set<() => void>()
  #queue: WorkQueue | undefined
  #versions: readonly RemoteVersion[] | undefined

  constructor(options: AggregatorOptions, scope: Scope) {
    this.#options = options
    this.#transports = scope.use(new RemoteTransports(options))
    const { registry } = options
    for (const object of registry.list(apiService)) this.#follow(object.metadata.name)
    scope.use(
      registry.onChange(apiService, (objects) => {
        for (const { name } of objects) this.#follow(name)
      }),
    )
  }

  /** Registers what this server serves by itself, and begins to ask the others. */
  async start(builtIn: readonly Creatable<APIService>[], scope: Scope): Promise<void> {
    const { env, registry, client } = this.#options
    const hosted = this.#options.hosted.map(hostedApiService)
    await autoRegister({ env, registry, client, builtIn, hosted }, scope)
    keepAvailability({ env, registry, client, transports: this.#transports }, scope)
    const queue = scope.use(createWorkQueue(env, "discovery-manager"))
    this.#queue = queue
    for (const name of this.#known.keys()) queue.add(name)
    for (let i = 0; i < workers; i++)
      scope.run(`discovery ${i}`, (signal) => this.#work(queue, signal), { restart: true })
  }

  /** Calls `changed` whenever other servers serve something else, until disposed. */
  onChange(changed: () => void): Disposable {
    this.#watchers.add(changed)
    return { [Symbol.dispose]: () => void this.#watchers.delete(changed) }
  }

  /** Every version of another server, and those that are hosted here, in no order. */
  get versions(): readonly RemoteVersion[] {
    this.#versions ??= [
      ...[...this.#known.values()].map(({ remote, resources, isStale }) => {
        const { group, version, groupPriority, versionPriority } = remote
        return { group, version, groupPriority, versionPriority, resources, isStale }
      }),
      ...this.#options.hosted
        .filter(({ group, version }) => !this.#known.has(`${version}.${group}`))
        .map(({ group, version, groupPriority, versionPriority, resources }) => ({
          group,
          version,
          groupPriority,
          versionPriority,
          resources,
          isStale: false,
        })),
    ]
    return this.#versions
  }

  /** Who answers what a request asks for; undefined: this server. */
  serviceOf(info: RequestInfo): RemoteService | undefined {
    if (this.#known.size === 0) return undefined
    const name = serviceNameOf(info)
    return name === undefined ? undefined : this.#known.get(name)?.remote
  }

  /** The version that is hosted here and asked for, unless another server answers for it. */
  hostedOf(info: RequestInfo): HostedVersion | undefined {
    for (const one of this.#options.hosted) {
      const isAsked = info.isResourceRequest
        ? info.apiGroup === one.group && info.apiVersion === one.version
        : info.path.startsWith(pathOf(one)) && serviceNameOf(info) === `${one.version}.${one.group}`
      if (isAsked) return this.#known.has(`${one.version}.${one.group}`) ? undefined : one
    }
    return undefined
  }

  /** Whether objects of a group and version are in no registry: another server's, or hosted here. */
  has(group: string, version: string): boolean {
    return (
      this.#known.has(`${version}.${group}`) ||
      this.#options.hosted.some((one) => one.group === group && one.version === version)
    )
  }

  proxy(remote: RemoteService, exchange: ServerExchange, ctx: RequestContext): Promise<void> {
    const { clock } = this.#options.env
    return proxyTo(remote, exchange, ctx, { clock, transports: this.#transports })
  }

  /** Requests of `user` to other servers, authorised here as those that come over the port. */
  transportOf(user: UserInfo): Transport {
    return userTransport({
      user,
      authorizer: this.#options.authorizer,
      serviceOf: (info) => this.serviceOf(info),
      hostedOf: (info) => this.hostedOf(info),
      transports: this.#transports,
    })
  }

  // ── documents ──

  /**
   * Paths of OpenAPI v3 documents with where they are; `isOwn`: the document of a version that the server is registered
   * for, which stands before this server's.
   */
  openApiV3(): ReadonlyMap<string, RemoteOpenApi> {
    const out = new Map<string, RemoteOpenApi>()
    for (const { v3, remote } of this.#known.values())
      for (const [path, url] of v3 ?? []) {
        const isOwn = `/${path}` === pathOf(remote)
        if (isOwn || !this.#isOthers(path)) out.set(path, { url, remote, isOwn })
      }
    return out
  }

  /** Parts of the OpenAPI v2 document, the most important first. */
  openApiV2(): readonly { readonly name: string; readonly document: Json }[] {
    return [...this.#known.values()]
      .filter(({ v2 }) => v2)
      .sort(
        ({ remote: a }, { remote: b }) =>
          b.groupPriority - a.groupPriority ||
          b.versionPriority - a.versionPriority ||
          (a.name < b.name ? -1 : 1),
      )
      .map(({ remote, v2 }) => ({ name: remote.name, document: v2!.document }))
  }

  /** Whether a path is no group's, or that of a version which has an APIService of its own. */
  #isOthers(path: string): boolean {
    const [root, group, version] = path.split("/")
    if (root !== "apis" || group === undefined) return true
    if (version === undefined) return false
    return this.#options.registry.get(apiService, { name: `${version}.${group}` }) !== undefined
  }

  #follow(name: string): void {
    const object = this.#options.registry.get(apiService, { name })
    const remote = object && remoteOf(object)
    const known = this.#known.get(name)
    if (!remote) {
      if (!known) return
      this.#known.delete(name)
      this.#transports.forget(name)
      this.#forgetUnused()
      return this.#changed()
    }
    if (known) known.remote = remote
    else this.#known.set(name, { remote, resources: [], isStale: true, v3: undefined, v2: undefined })
    this.#changed()
    this.#queue?.add(name)
  }

  #forgetUnused(): void {
    const used = new Set([...this.#known.values()].map(({ remote }) => serviceKey(remote)))
    for (const key of this.#documents.keys()) if (!used.has(key)) this.#documents.delete(key)
  }

  #changed(): void {
    this.#versions = undefined
    for (const changed of this.#watchers) changed()
  }

  async #work(queue: WorkQueue, signal: AbortSignal): Promise<void> {
    for (;;) {
      const name = await queue.get(signal)
      try {
        await this.#refresh(name, signal)
        queue.forget(name)
        if (this.#known.has(name)) queue.addAfter(name, refreshMs)
      } catch (thrown) {
        if (signal.aborted) throw thrown
        this.#options.env.log.debug("The documents of an API service cannot be had", {
          name,
          err: messageOf(thrown),
        })
        const failures = queue.failures(name)
        queue.addAfter(name, Math.min(retryMs.first * 2 ** failures, retryMs.most))
      } finally {
        queue.done(name)
      }
    }
  }

  /** Asks one server for its documents. Rejects with why they could not be had; what was known stays, as stale. */
  async #refresh(name: string, signal: AbortSignal): Promise<void> {
    const known = this.#known.get(name)
    if (!known) return
    const { remote } = known
    const get = this.#getter(remote, discoveryLimitMs, signal)
    try {
      const at = { key: `${remote.group}/${remote.version}`, path: pathOf(remote) }
      const document = await fetchDiscovery(get, at, this.#documents.get(serviceKey(remote)))
      if (document.etag !== "") this.#documents.set(serviceKey(remote), document)
      this.#update(name, known, { resources: document.versions.get(at.key) ?? [], isStale: false })
    } catch (thrown) {
      this.#update(name, known, { isStale: true })
      throw thrown
    }
    const slow = this.#getter(remote, openApiLimitMs, signal)
    try {
      this.#update(name, known, { v3: await fetchV3Index(slow) })
    } finally {
      this.#update(name, known, { v2: await fetchV2(slow, pathOf(remote), known.v2) })
    }
  }

  /** Takes over what was found out, and tells of it when it is something new. */
  #update(name: string, known: Known, news: Partial<Known>): void {
    const isNew = (Object.keys(news) as (keyof Known)[]).some(
      (key) => !isDeepStrictEqual(news[key], known[key]),
    )
    if (!isNew || this.#known.get(name) !== known) return
    Object.assign(known, news)
    this.#changed()
  }

  #getter(remote: RemoteService, limitMs: number, signal: AbortSignal): Get {
    const { clock } = this.#options.env
    return (path, headers, maxBytes) =>
      withTimeout(clock, limitMs, path, signal, async (limited) => {
        const { transport } = this.#transports.to(remote)
        const sent = { ...headers, ...userHeaders(aggregatorUser) }
        const answer = await transport.request({ method: "GET", path, headers: sent, signal: limited })
        return readBounded(answer, maxBytes)
      })
  }
}

/** The APIService that a request is about: of a resource, or of a version's document. */
function serviceNameOf(info: RequestInfo): string | undefined {
  if (info.isResourceRequest) return `${info.apiVersion}.${info.apiGroup}`
  const [, root, group, version, rest] = info.path.split("/")
  if (root !== "apis" || !version || (rest !== undefined && rest !== "")) return undefined
  return `${version}.${group}`
}

function serviceKey({ service: { namespace, name, port } }: RemoteService): string {
  return `${namespace}/${name}:${port}`
}
