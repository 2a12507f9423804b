/**
 * The registry: one storage for each kind that is served, one {@link Resource} with its watch cache for all kinds that are
 * versions of the same, and one watch of the store that feeds them all. Nothing above it reads the store.
 */
import type { Kind, KubeObject } from "@knarr/apimachinery"
import type { Env, Scope } from "@knarr/base"
import type { Store } from "@knarr/store"
import type { Admission } from "../contract.ts"
import type { CachedObject } from "./cached-object.ts"
import { DecodedValues } from "./decoded-values.ts"
import { type EventRingLimits, HistoryBudget } from "./event-ring.ts"
import { Follower } from "./follower.ts"
import { createAdminAccessHooks } from "./admin-access.ts"
import { openServiceBooks } from "./service/books.ts"
import { definitionHooks } from "../crd/schema-defaults.ts"
import { createServiceHooks, type ServiceBooks, type ServiceNetwork } from "./service/service-hooks.ts"
import { Resource, type ResourceDeps, type ResourceSpec } from "./resource.ts"
import type { StorageFormat } from "./stored-form.ts"
import { Slabs } from "./slabs.ts"
import { ResourceStorage, type StorageDeps } from "./storage.ts"
import { subresourceHandlers } from "./subresources/index.ts"
import { TtlLeases } from "./ttl-leases.ts"
import type { Handler, Storages } from "./verbs/handler.ts"
import { Handlers } from "./verbs/handlers.ts"
import type { WriteHooks } from "./write-hooks.ts"

export interface RegistryOptions {
  readonly env: Env
  readonly store: Store
  readonly kinds: readonly Kind[]
  /** Resources that their kinds alone do not declare. */
  readonly resources?: readonly ResourceSpec[]
  /** The chain; may also be set later, before the first write, with {@link Registry.useAdmission}. */
  readonly admission?: Admission
  /** Default: `10.96.0.0/12`, node ports 30000-32767. */
  readonly serviceNetwork?: ServiceNetwork
  /** Decoded objects that are held although nobody uses them; default 4096. */
  readonly decodedObjects?: number
  /** The events each resource keeps for watches that resume; default 4096, at most 16 MiB. */
  readonly history?: EventRingLimits
  /** And all resources together, in bytes; default 48 MiB. */
  readonly historyBytes?: number
  /** How objects are stored; default `stamped`. */
  readonly storageFormat?: StorageFormat | undefined
  /** See {@link TtlLeases}. */
  readonly leaseReuseSeconds?: number | undefined
  /** See {@link StorageDeps}. */
  readonly ttlSeconds?: number | undefined
  readonly watchTimeoutMs?: number | undefined
}

const noAdmission: Admission = { admit() {}, validate() {} }

export class Registry implements Storages {
  readonly env: Env
  readonly store: Store
  readonly follower: Follower
  readonly storageFormat: StorageFormat
  readonly #deps: StorageDeps
  readonly #resourceDeps: ResourceDeps
  readonly #lifetime = new AbortController()
  /** By storage prefix. */
  readonly #resources = new Map<string, Resource>()
  /** By `<group>/<version>/<plural>`. */
  readonly #storages = new Map<string, ResourceStorage>()
  readonly #byKind = new Map<Kind, ResourceStorage>()
  readonly #hooks = new Map<string, WriteHooks>()
  readonly handlers = new Handlers(subresourceHandlers)
  readonly #serviceNetwork: ServiceNetwork
  readonly #kindWatchers = new Set<() => void>()
  #admission: Admission
  #started = false
  #books: ServiceBooks | undefined

  constructor(options: RegistryOptions) {
    const { env, store } = options
    this.env = env
    this.store = store
    this.follower = new Follower({ store, log: env.log, clock: env.clock })
    this.storageFormat = options.storageFormat ?? "stamped"
    this.#resourceDeps = {
      format: this.storageFormat,
      decoded: new DecodedValues(options.decodedObjects ?? 4096),
      history: options.history ?? { events: 4096, bytes: 16 * 1024 * 1024 },
      shared: {
        slabs: new Slabs(),
        history: new HistoryBudget(options.historyBytes ?? 48 * 1024 * 1024),
      },
      onUnreadable: (key, revision, thrown) =>
        env.log.error("Cannot read an object of the store", thrown, { key, revision }),
      signal: this.#lifetime.signal,
    }
    this.#admission = options.admission ?? noAdmission
    this.#serviceNetwork = options.serviceNetwork ?? {}
    this.#deps = {
      env,
      store,
      follower: this.follower,
      leases: new TtlLeases(store, env.clock, options.leaseReuseSeconds),
      ttlSeconds: options.ttlSeconds,
      watchTimeoutMs: options.watchTimeoutMs,
      admission: {
        admit: (attributes) => this.#admission.admit(attributes),
        validate: (attributes) => this.#admission.validate(attributes),
      },
      hooksOf: (kind) => this.#hooks.get(`${kind.group}/${kind.plural}`),
    }
    for (const spec of options.resources ?? []) this.#registerResource(spec)
    for (const kind of options.kinds) this.#registerKind(kind)
  }

  /** Loads every cache and follows the store until `scope` closes. Reads and writes may begin when it resolves. */
  async start(scope: Scope): Promise<void> {
    scope.signal.addEventListener("abort", () => this.#lifetime.abort(scope.signal.reason), { once: true })
    const caches = [...this.#resources.values()].map(({ cache }) => cache)
    await this.follower.start(caches, scope)
    this.#started = true
    const services = this.find("", "v1", "services")
    if (services) {
      this.#books = await openServiceBooks(this, this.#serviceNetwork, scope)
      this.#hooks.set("/services", createServiceHooks(this.env, this.#books))
    }
    this.#hooks.set("apiextensions.k8s.io/customresourcedefinitions", definitionHooks)
    const namespaces = this.find("", "v1", "namespaces")
    if (namespaces) {
      const adminAccess = createAdminAccessHooks((name) => {
        const found = namespaces.cache.get(namespaces.key({ namespace: "", name }))
        return found && namespaces.view.value(found)
      })
      for (const plural of ["resourceclaims", "resourceclaimtemplates"])
        this.#hooks.set(`resource.k8s.io/${plural}`, adminAccess)
    }
  }

  /** The store has forgotten what happened up to `revision`; so do the caches. */
  forgetHistory(revision: number): void {
    for (const { cache } of this.#resources.values()) cache.compact(revision)
  }

  /** What the caches hold: present objects and past events, in bytes of the objects. */
  memory(): { objects: number; bytes: number; historyBytes: number } {
    const sum = { objects: 0, bytes: 0, historyBytes: 0 }
    for (const { cache } of this.#resources.values()) {
      const { size, bytes, historyBytes } = cache
      sum.objects += size
      sum.bytes += bytes
      sum.historyBytes += historyBytes
    }
    return sum
  }

  /** Who has which address and port; undefined when Services are not served. */
  get serviceBooks(): ServiceBooks | undefined {
    return this.#books
  }

  useAdmission(admission: Admission): void {
    this.#admission = admission
  }

  /** Serves one more kind, with the handlers of its own subresources. Resolves when its objects are loaded. */
  async addKind(kind: Kind, handlers: readonly Handler[] = []): Promise<void> {
    this.handlers.addOf(kind, handlers)
    const resource = this.#registerKind(kind)
    if (resource && this.#started) await this.follower.add(resource.cache)
    this.#kindsChanged()
  }

  /** Serves one more resource, in all its versions, with the handlers of its subresources. Resolves when its objects are loaded. */
  async addResource(spec: ResourceSpec, handlers: readonly Handler[] = []): Promise<void> {
    for (const kind of spec.versions) this.handlers.addOf(kind, handlers)
    const { cache } = this.#registerResource(spec)
    if (this.#started) await this.follower.add(cache)
    this.#kindsChanged()
  }

  /** Stops serving a kind; its watches end. Objects stay in the store. */
  removeKind(kind: Kind): void {
    const storage = this.find(kind.group, kind.version, kind.plural)
    if (!storage) return
    this.#byKind.delete(storage.kind)
    this.#storages.delete(`${kind.group}/${kind.version}/${kind.plural}`)
    const { resource } = storage.view
    const { cache } = resource
    resource.served.delete(storage.kind)
    this.#kindsChanged()
    if (resource.served.size > 0) return
    this.#resources.delete(cache.kind.storagePrefix)
    this.follower.remove(cache)
    cache.forgetHistory(this.follower.revision)
  }

  /** Calls `changed` whenever kinds were added or removed, until disposed. */
  onKinds(changed: () => void): Disposable {
    this.#kindWatchers.add(changed)
    return { [Symbol.dispose]: () => void this.#kindWatchers.delete(changed) }
  }

  #kindsChanged(): void {
    for (const changed of this.#kindWatchers) changed()
  }

  /** Every kind that is served, in the order in which they were added. */
  get kinds(): readonly Kind[] {
    return [...this.#byKind.keys()]
  }

  serves(kind: Kind): boolean {
    return this.#byKind.has(kind) || this.find(kind.group, kind.version, kind.plural) !== undefined
  }

  /** The storage of a served kind. Throws when it is not served. */
  storage(kind: Kind): ResourceStorage {
    const storage = this.#byKind.get(kind) ?? this.find(kind.group, kind.version, kind.plural)
    if (!storage)
      throw new Error(`Cannot use the kind "${kind.kind}" of ${kind.apiVersion}: it is not served`)
    return storage
  }

  find(group: string, version: string, plural: string): ResourceStorage | undefined {
    return this.#storages.get(`${group}/${version}/${plural}`)
  }

  /** The storage of the kind in any version, by kind name. */
  findKind(group: string, version: string, kind: string): ResourceStorage | undefined {
    for (const storage of this.#byKind.values()) {
      const k = storage.kind
      if (k.group === group && k.version === version && k.kind === kind) return storage
    }
    return undefined
  }

  /** From the cache: what this server has committed, at once; undefined when there is none. Shared and frozen. */
  get<T extends KubeObject>(
    kind: Kind<T>,
    ref: { namespace?: string | undefined; name: string },
  ): Readonly<T> | undefined {
    const storage = this.storage(kind)
    const found = storage.cache.get(storage.key({ namespace: ref.namespace ?? "", name: ref.name }))
    return found && (storage.view.value(found) as Readonly<T>)
  }

  /** As {@link get}, for all objects (of a namespace), in order. */
  list<T extends KubeObject>(kind: Kind<T>, namespace = ""): readonly Readonly<T>[] {
    const storage = this.storage(kind)
    return storage.cache.collect(namespace).map((object) => storage.view.value(object) as Readonly<T>)
  }

  /**
   * Calls `changed` for each change of a kind, once per batch at the end of it, until disposed: for parts that
   * derive data from the cache (authorisation rules, quotas).
   */
  onChange(kind: Kind, changed: (objects: readonly CachedObject[]) => void): Disposable {
    const { cache, select } = { cache: this.storage(kind).cache, select: this.storage(kind).select({}) }
    let objects: CachedObject[] = []
    const watcher = {
      selection: select,
      accept: (item: { object: CachedObject }) => void objects.push(item.object),
      flush: () => {
        const batch = objects
        objects = []
        changed(batch)
      },
      close: () => {},
    }
    cache.watchers.add(watcher)
    return { [Symbol.dispose]: () => cache.watchers.remove(watcher) }
  }

  /** Returns the resource when it is a new one. */
  #registerKind(kind: Kind): Resource | undefined {
    const stored = kind.storedAs?.() ?? kind
    const known = this.#resources.get(stored.storagePrefix)
    if (!known) return this.#registerResource({ versions: [kind], stored })
    this.#serve(kind, known)
    return undefined
  }

  #registerResource(spec: ResourceSpec): Resource {
    const resource = new Resource(spec, this.#resourceDeps)
    this.#resources.set(spec.stored.storagePrefix, resource)
    for (const kind of spec.versions) this.#serve(kind, resource)
    return resource
  }

  #serve(kind: Kind, resource: Resource): void {
    resource.serve(kind)
    const storage = new ResourceStorage(kind, resource, this.#deps)
    this.#storages.set(`${kind.group}/${kind.version}/${kind.plural}`, storage)
    this.#byKind.set(kind, storage)
  }
}
