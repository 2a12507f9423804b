/**
 * The client of components in the server's own process: it hands over the caches' frozen objects without
 * encoding them. Writes go the same way as those that come over HTTP: authorisation, admission, validation,
 * managed fields. Nothing but microtasks, the clock and the random source of the registry's Env decide what happens.
 */
import {
  decodeObject,
  deepClone,
  DecodeError,
  badRequest,
  type Kind,
  type KubeObject,
  notFound,
  type Status,
} from "@knarr/apimachinery"
import { Channel, whenReady } from "@knarr/base"
import type { Creatable } from "@knarr/api"
import type {
  Client,
  DeleteOptions,
  GetOptions,
  ListOptions,
  ObjectList,
  PatchOptions,
  PatchType,
  Ref,
  UpdateOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "@knarr/client"
import { allAuthenticated, parseServiceAccountUserName, serviceAccountGroups } from "./authn/users.ts"
import { forbiddenError } from "./authz/forbidden.ts"
import type { Authorizer, UserInfo } from "./contract.ts"
import { createdStatus, deletedStatus } from "./registry/answers.ts"
import { createObject } from "./registry/create.ts"
import { setObjectDefaults } from "./registry/defaults.ts"
import { deleteCollection, deleteObject } from "./registry/delete.ts"
import { listObjects } from "./registry/list.ts"
import { askedFields, askedLabels, resourceAttributes } from "./authz/attributes.ts"
import { managerOfAgent } from "./registry/manager.ts"
import { applyPatch, decodePatched, patchObject } from "./registry/patch.ts"
import type { Registry } from "./registry/registry.ts"
import type { DeletionOptions, ObjectRef, WriteRequest } from "./registry/request.ts"
import type { ResourceStorage } from "./registry/storage.ts"
import { type Binding, bindPod } from "./registry/subresources/binding.ts"
import { type Eviction, evictPod } from "./registry/subresources/eviction.ts"
import { strategyOf } from "./registry/subresources/index.ts"
import { type Scale, scaleOf, scaleSchema, updateScale } from "./registry/subresources/scale.ts"
import { putting, updateObject } from "./registry/update.ts"
import { metadataNameOf } from "./server/request-info.ts"
import { prepareWatch } from "./registry/watch.ts"
import type { WatchItem } from "./registry/watchers.ts"

export interface LoopbackClientOptions {
  readonly registry: Registry
  readonly user: UserInfo
  /** Default: everything is allowed. */
  readonly authorizer?: Authorizer | undefined
  /** The part before its first slash is the field manager of writes that name none. Default `knarr`. */
  readonly userAgent?: string | undefined
  /** Called with each warning that a write caused; default: dropped. */
  readonly onWarning?: ((text: string) => void) | undefined
}

/** Events that may wait for the reader of one watch; then the watch ends. */
const watchBuffer = 100_000

export function createLoopbackClient(options: LoopbackClientOptions): Client {
  return new LoopbackClient(options)
}

/** What of a call's options the authorizers are told. */
interface AskedOptions {
  readonly fieldSelector?: string | undefined
  readonly labelSelector?: string | undefined
  readonly signal?: AbortSignal | undefined
}

type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection"

class LoopbackClient implements Client {
  readonly #options: LoopbackClientOptions
  readonly #registry: Registry
  readonly #manager: string

  constructor(options: LoopbackClientOptions) {
    this.#options = options
    this.#registry = options.registry
    this.#manager = managerOfAgent(options.userAgent ?? "knarr")
  }

  async get<T extends KubeObject>(kind: Kind<T>, ref: Ref, options: GetOptions = {}): Promise<T> {
    options.signal?.throwIfAborted()
    const { storage, at, allowed } = this.#open("get", kind, ref, options)
    if (allowed) await allowed
    const object = await storage.get(at, options.resourceVersion, options.signal)
    return storage.view.value(object) as T
  }

  async list<T extends KubeObject>(kind: Kind<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    options.signal?.throwIfAborted()
    const { storage, allowed } = this.#open("list", kind, { namespace: options.namespace, name: "" }, options)
    if (allowed) await allowed
    const result = await listObjects(storage, options, options.signal)
    const items: T[] = []
    for (const object of result.items) {
      if (result.filtered || result.selection.matches(object)) items.push(storage.view.value(object) as T)
    }
    return {
      metadata: {
        resourceVersion: String(result.revision),
        ...(result.continue === "" ? {} : { continue: result.continue }),
        ...(result.remaining ? { remainingItemCount: result.remaining } : {}),
      },
      items,
    }
  }

  async *watch<T extends KubeObject>(kind: Kind<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const { signal } = options
    signal.throwIfAborted()
    const { storage, allowed } = this.#open(
      "watch",
      kind,
      { namespace: options.namespace, name: "" },
      options,
    )
    if (allowed) await allowed
    const match = options.sendInitialEvents === undefined ? {} : { resourceVersionMatch: "NotOlderThan" }
    const watch = await prepareWatch(storage, { ...options, ...match }, signal)
    const channel = new Channel<readonly WatchItem[] | WatchEvent<T>>(watchBuffer)
    const bookmark = (revision: number, initialEventsEnd: boolean): void => {
      const metadata: Record<string, unknown> = { resourceVersion: String(revision) }
      if (initialEventsEnd) metadata.annotations = { "k8s.io/initial-events-end": "true" }
      const object = Object.freeze({ kind: kind.kind, apiVersion: kind.apiVersion, metadata }) as unknown as T
      channel.push({ type: "BOOKMARK", object })
    }
    const stop = new AbortController()
    const onAbort = (): void => stop.abort(signal.reason)
    signal.addEventListener("abort", onAbort, { once: true })
    let waiting = 0
    const running = watch
      .run(
        {
          deliver(items) {
            waiting += items.length
            return waiting <= watchBuffer && channel.push(items)
          },
          bookmark,
          fail: (error) => void channel.push({ type: "ERROR", object: error.status }),
        },
        stop.signal,
      )
      .then(
        () => channel.close(),
        (thrown: unknown) => channel.fail(thrown),
      )
    try {
      for (;;) {
        const next = await channel.next(signal)
        if (next === undefined) return
        if ("type" in next) {
          yield next
          continue
        }
        waiting -= next.length
        for (const { type, object } of next) yield { type, object: storage.view.value(object) as T }
      }
    } finally {
      signal.removeEventListener("abort", onAbort)
      stop.abort()
      await running
    }
  }

  async create<T extends KubeObject>(
    kind: Kind<T>,
    obj: Creatable<T>,
    options: WriteOptions = {},
  ): Promise<T> {
    const wanted = obj as unknown as KubeObject
    const { namespace, name } = wanted.metadata
    const { storage, at, allowed } = this.#open("create", kind, { namespace, name: name ?? "" }, options)
    const own = this.#decode<KubeObject>(kind, wanted)
    if (allowed) await allowed
    const request = this.#request("CreateOptions", options)
    const connector = this.#registry.connector(kind.group, kind.plural, "")
    if (connector?.create) {
      return (await connector.create(at, own as unknown as Record<string, unknown>, request)) as T
    }
    setObjectDefaults(storage.kind, own, storage.deps.env.clock.now())
    const object = await createObject(storage, at.namespace, own, request)
    return this.#answer(storage.view.value(object) as T, request)
  }

  async update<T extends KubeObject>(kind: Kind<T>, obj: T, options: UpdateOptions = {}): Promise<T> {
    const subresource = options.subresource ?? ""
    const { storage, at, allowed } = this.#open("update", kind, obj.metadata, options, subresource)
    const request = this.#request("UpdateOptions", options)
    if (subresource === "scale") {
      const scale = this.#decodeAs<Scale>(scaleSchema(), obj)
      if (allowed) await allowed
      return this.#answer((await updateScale(storage, at, request, () => scale)) as unknown as T, request)
    }
    const strategy = this.#strategy(storage, subresource, at)
    const own = this.#decode<KubeObject>(kind, obj)
    if (allowed) await allowed
    setObjectDefaults(storage.kind, own, storage.deps.env.clock.now())
    const written = await updateObject(storage, at, request, {
      subresource,
      checkUid: true,
      next: putting(own),
      ...(strategy ? { strategy } : {}),
    })
    return this.#answer(storage.view.value(written.object) as T, request)
  }

  async patch<T extends KubeObject>(
    kind: Kind<T>,
    ref: Ref,
    type: PatchType,
    body: unknown,
    options: PatchOptions = {},
  ): Promise<T> {
    const subresource = options.subresource ?? ""
    const { storage, at, allowed } = this.#open("patch", kind, ref, options, subresource)
    const request = this.#request("PatchOptions", options)
    const patch = {
      type,
      body: deepClone(body),
      fieldValidation: options.fieldValidation ?? ("Warn" as const),
      force: options.force ?? false,
      subresource,
    }
    if (allowed) await allowed
    if (subresource === "scale") {
      const schema = scaleSchema()
      const change = type === "apply" ? { ...patch, type: "merge" as const } : patch
      const scale = await updateScale(storage, at, request, (present) =>
        decodePatched<Scale>(schema, applyPatch(schema, present, change), change, request.warnings),
      )
      return this.#answer(scale as unknown as T, request)
    }
    const strategy = this.#strategy(storage, subresource, at)
    const written = await patchObject(storage, at, { ...patch, ...(strategy ? { strategy } : {}) }, request)
    return this.#answer(storage.view.value(written.object) as T, request)
  }

  async delete<T extends KubeObject>(
    kind: Kind<T>,
    ref: Ref,
    options: DeleteOptions = {},
  ): Promise<T | Status> {
    const { storage, at, allowed } = this.#open("delete", kind, ref, options)
    if (allowed) await allowed
    const request = this.#request("DeleteOptions", options)
    const deleted = await deleteObject(storage, at, deletionOf(options), request)
    if (deleted.asStatus) return deletedStatus(storage, at.name, deleted.object.uid)
    return this.#answer(storage.view.value(deleted.object) as T, request)
  }

  async deleteCollection<T extends KubeObject>(
    kind: Kind<T>,
    list: ListOptions,
    options: DeleteOptions = {},
  ): Promise<void> {
    const { storage, allowed } = this.#open(
      "deletecollection",
      kind,
      { namespace: list.namespace, name: "" },
      { ...list, signal: options.signal },
    )
    if (allowed) await allowed
    const request = this.#request("DeleteOptions", options)
    const result = await listObjects(storage, list, options.signal)
    const chosen = result.filtered
      ? result.items
      : result.items.filter((object) => result.selection.matches(object))
    await deleteCollection(storage, chosen, deletionOf(options), request)
  }

  async createSubresource<R>(
    kind: Kind,
    ref: Ref,
    subresource: string,
    body: unknown,
    options: WriteOptions = {},
  ): Promise<R> {
    const { storage, at, allowed } = this.#open("create", kind, ref, options, subresource)
    const request = this.#request("CreateOptions", options)
    const own = deepClone(body) as KubeObject
    if (allowed) await allowed
    own.metadata ??= {} as KubeObject["metadata"]
    const connector = this.#registry.connector(kind.group, kind.plural, subresource)
    if (connector?.create) {
      return (await connector.create(at, own as unknown as Record<string, unknown>, request)) as R
    }
    if (kind.group === "" && kind.plural === "pods" && subresource === "binding") {
      await bindPod(storage, at, own as Binding, request)
      return createdStatus as R
    }
    if (kind.group === "" && kind.plural === "pods" && subresource === "eviction") {
      const budgets = this.#registry.find("policy", "v1", "poddisruptionbudgets")
      await evictPod(storage, budgets, at, own as Eviction, request)
      return createdStatus as R
    }
    throw notFound(storage.resource, at.name)
  }

  async getSubresource<R>(kind: Kind, ref: Ref, subresource: string, options: GetOptions = {}): Promise<R> {
    const { storage, at, allowed } = this.#open("get", kind, ref, options, subresource)
    if (allowed) await allowed
    const connector = this.#registry.connector(kind.group, kind.plural, subresource)
    if (connector?.get) return (await connector.get(at, this.#request("GetOptions", options))) as R
    const object = await storage.get(at, options.resourceVersion, options.signal)
    if (subresource === "scale") return scaleOf(storage, object) as R
    if (!strategyOf(kind, subresource)) throw notFound(storage.resource, at.name)
    return storage.view.value(object) as R
  }

  as(user: {
    readonly name: string
    readonly groups?: readonly string[]
    readonly userAgent?: string
  }): Client {
    const account = parseServiceAccountUserName(user.name)
    const groups = new Set(user.groups ?? (account ? serviceAccountGroups(account.namespace) : []))
    groups.add(allAuthenticated)
    const userAgent = user.userAgent ?? this.#options.userAgent
    return new LoopbackClient({ ...this.#options, user: { name: user.name, groups: [...groups] }, userAgent })
  }

  /** The storage and the reference, if the user may; `allowed` when that is still to be said. */
  #open(
    verb: Verb,
    kind: Kind,
    ref: Ref,
    options: AskedOptions,
    subresource = "",
  ): { storage: ResourceStorage; at: ObjectRef; allowed: void | Promise<void> } {
    const storage = this.#registry.storage(kind)
    const at = { namespace: kind.namespaced ? (ref.namespace ?? "") : "", name: ref.name }
    return { storage, at, allowed: this.#authorize(verb, kind, at, options, subresource) }
  }

  #authorize(
    verb: Verb,
    kind: Kind,
    { namespace, name }: ObjectRef,
    { fieldSelector, labelSelector, signal }: AskedOptions,
    subresource: string,
  ): void | Promise<void> {
    const { authorizer, user } = this.#options
    if (!authorizer) return
    const attributes = resourceAttributes({
      verb,
      apiGroup: kind.group,
      apiVersion: kind.version,
      resource: kind.plural,
      subresource,
      namespace,
      name: verb === "create" && subresource === "" ? "" : name || (metadataNameOf(fieldSelector) ?? ""),
      fieldSelector: askedFields(fieldSelector),
      labelSelector: askedLabels(labelSelector),
    })
    return whenReady(authorizer.authorize(user, attributes, { signal }), ({ verdict, reason, error }) => {
      if (verdict === "allow") return
      if (error) throw error
      throw forbiddenError(user, attributes, reason)
    })
  }

  #strategy(storage: ResourceStorage, subresource: string, at: ObjectRef): ReturnType<typeof strategyOf> {
    if (subresource === "") return undefined
    const strategy = strategyOf(storage.kind, subresource)
    if (!strategy) throw notFound(storage.resource, at.name)
    return strategy
  }

  #request(kind: string, options: WriteOptions): WriteRequest {
    options.signal?.throwIfAborted()
    const { fieldManager, fieldValidation, dryRun } = options
    return {
      user: this.#options.user,
      fieldManager: fieldManager ?? this.#manager,
      dryRun: dryRun ?? false,
      options: {
        kind,
        apiVersion: "meta.k8s.io/v1",
        ...(dryRun ? { dryRun: ["All"] } : {}),
        ...(fieldManager ? { fieldManager } : {}),
        ...(fieldValidation ? { fieldValidation } : {}),
      },
      warnings: [],
      signal: options.signal,
    }
  }

  /** A copy of the object in its shape: what the caller does to its own afterwards does not matter. */
  #decode<T extends KubeObject>(kind: Kind, obj: Readonly<KubeObject>): T {
    const own = this.#decodeAs<T>(kind.schema, obj)
    own.kind = kind.kind
    own.apiVersion = kind.apiVersion
    return own
  }

  #decodeAs<T>(schema: Kind["schema"], obj: object): T {
    try {
      return decodeObject<T>(schema, deepClone(obj)).object
    } catch (thrown) {
      if (thrown instanceof DecodeError) throw badRequest(thrown.message)
      throw thrown
    }
  }

  #answer<T>(value: T, request: WriteRequest): T {
    const { onWarning } = this.#options
    if (onWarning) for (const warning of request.warnings) onWarning(warning)
    return value
  }
}

function deletionOf(options: DeleteOptions): DeletionOptions {
  const { gracePeriodSeconds, propagationPolicy, preconditions } = options
  const out: DeletionOptions = {}
  if (gracePeriodSeconds !== undefined) out.gracePeriodSeconds = gracePeriodSeconds
  if (propagationPolicy !== undefined) out.propagationPolicy = propagationPolicy
  if (preconditions)
    out.preconditions = { uid: preconditions.uid, resourceVersion: preconditions.resourceVersion }
  return out
}
