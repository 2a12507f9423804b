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
  pathNotFound,
  type Kind,
  type KubeObject,
  type Status,
} from "@knarr/apimachinery"
import { whenReady } from "@knarr/base"
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
  ServedVersion,
  UpdateOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "@knarr/client"
import type { Aggregator } from "./aggregator/aggregator.ts"
import { dividedClient } from "./aggregator/divided-client.ts"
import { allAuthenticated, parseServiceAccountUserName, serviceAccountGroups } from "./authn/users.ts"
import { askedFields, askedLabels, resourceAttributes } from "./authz/attributes.ts"
import { forbiddenError } from "./authz/forbidden.ts"
import type { Authorizer, UserInfo } from "./contract.ts"
import { servedVersions } from "./endpoints/served-versions.ts"
import { watchObjects } from "./loopback-watch.ts"
import { allReady, listObjects, matching } from "./registry/list.ts"
import { managerOfAgent } from "./registry/manager.ts"
import type { Registry } from "./registry/registry.ts"
import type { DeletionOptions, ObjectRef, WriteRequest } from "./registry/request.ts"
import type { Answer, Target } from "./registry/verbs/handler.ts"
import { removeCollection, removeObject } from "./registry/verbs/remove.ts"
import { type Shape, shapeOf } from "./registry/verbs/shape.ts"
import { metadataNameOf } from "./server/request-info.ts"

export interface LoopbackClientOptions {
  readonly registry: Registry
  readonly user: UserInfo
  /** Default: everything is allowed. */
  readonly authorizer?: Authorizer | undefined
  /** The part before its first slash is the field manager of writes that name none. Default `knarr`. */
  readonly userAgent?: string | undefined
  /** Groups that other servers answer for. Default: none. */
  readonly elsewhere?: Aggregator | undefined
  /** Called with each warning that a write caused; default: dropped. */
  readonly onWarning?: ((text: string) => void) | undefined
}

export function createLoopbackClient(options: LoopbackClientOptions): Client {
  const own = new LoopbackClient(options)
  const { elsewhere, user } = options
  return elsewhere ? dividedClient(own, elsewhere, user) : own
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

  get<T extends KubeObject>(kind: Kind<T>, ref: Ref, options: GetOptions = {}): Promise<T> {
    return this.getSubresource(kind, ref, "", options)
  }

  async list<T extends KubeObject>(kind: Kind<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    options.signal?.throwIfAborted()
    const at = { namespace: options.namespace, name: "" }
    const { target, allowed } = this.#open("list", kind, at, options)
    if (allowed) await allowed
    const { storage } = target
    const result = await listObjects(storage, options, options.signal)
    if (storage.view.waits) await allReady(storage.view, result.items, options.signal)
    return {
      metadata: {
        resourceVersion: String(result.revision),
        ...(result.continue === "" ? {} : { continue: result.continue }),
        ...(result.remaining ? { remainingItemCount: result.remaining } : {}),
      },
      items: matching(result).map((object) => storage.view.value(object) as T),
    }
  }

  async *watch<T extends KubeObject>(kind: Kind<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    options.signal.throwIfAborted()
    const at = { namespace: options.namespace, name: "" }
    const { target, allowed } = this.#open("watch", kind, at, options)
    if (allowed) await allowed
    const { storage } = target
    yield* watchObjects<T>(storage, options)
  }

  async create<T extends KubeObject>(
    kind: Kind<T>,
    obj: Creatable<T>,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace, name = "" } = obj.metadata
    return this.#create(kind, { namespace, name }, "", obj, options)
  }

  async update<T extends KubeObject>(kind: Kind<T>, obj: T, options: UpdateOptions = {}): Promise<T> {
    const { subresource = "" } = options
    const { target, allowed } = this.#open("update", kind, obj.metadata, options, subresource)
    const request = this.#request("UpdateOptions", options)
    const body = decode(shapeOf(kind, subresource), obj)
    if (allowed) await allowed
    const handler = this.#registry.handlers.of(kind, subresource, "update")
    return this.#answer(target, await handler.update(target, body, request), request)
  }

  async patch<T extends KubeObject>(
    kind: Kind<T>,
    ref: Ref,
    type: PatchType,
    body: unknown,
    options: PatchOptions = {},
  ): Promise<T> {
    const { subresource = "", fieldValidation = "Warn", force = false } = options
    const { target, allowed } = this.#open("patch", kind, ref, options, subresource)
    const request = this.#request("PatchOptions", options)
    const patch = { type, body: deepClone(body), fieldValidation, force }
    if (allowed) await allowed
    const handler = this.#registry.handlers.of(kind, subresource, "patch")
    return this.#answer(target, await handler.patch(target, patch, request), request)
  }

  async delete<T extends KubeObject>(
    kind: Kind<T>,
    ref: Ref,
    options: DeleteOptions = {},
  ): Promise<T | Status> {
    const { target, allowed } = this.#open("delete", kind, ref, options)
    if (allowed) await allowed
    const request = this.#request("DeleteOptions", options)
    return this.#answer(target, await removeObject(target, deletionOf(options), request), request)
  }

  async deleteCollection<T extends KubeObject>(
    kind: Kind<T>,
    list: ListOptions,
    options: DeleteOptions = {},
  ): Promise<void> {
    const at = { namespace: list.namespace, name: "" }
    const { target, allowed } = this.#open("deletecollection", kind, at, {
      ...list,
      signal: options.signal,
    })
    if (allowed) await allowed
    await removeCollection(target.storage, list, deletionOf(options), this.#request("DeleteOptions", options))
  }

  async createSubresource<R>(
    kind: Kind,
    ref: Ref,
    subresource: string,
    body: unknown,
    options: WriteOptions = {},
  ): Promise<R> {
    return this.#create(kind, ref, subresource, body, options)
  }

  async getSubresource<R>(kind: Kind, ref: Ref, subresource: string, options: GetOptions = {}): Promise<R> {
    options.signal?.throwIfAborted()
    const { target, allowed } = this.#open("get", kind, ref, options, subresource)
    if (allowed) await allowed
    const handler = this.#registry.handlers.of(kind, subresource, "get")
    const answer = handler.get(target, options)
    return valueOf<R>(target, answer instanceof Promise ? await answer : answer)
  }

  async discover(): Promise<readonly ServedVersion[]> {
    return servedVersions(this.#registry.kinds, this.#options.elsewhere?.versions)
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
    return createLoopbackClient({
      ...this.#options,
      user: { name: user.name, groups: [...groups] },
      userAgent,
    })
  }

  async #create<R>(
    kind: Kind,
    ref: Ref,
    subresource: string,
    sent: unknown,
    options: WriteOptions,
  ): Promise<R> {
    const { target, allowed } = this.#open("create", kind, ref, options, subresource)
    const request = this.#request("CreateOptions", options)
    const body = decode(shapeOf(kind, subresource), sent)
    if (allowed) await allowed
    const handler = this.#registry.handlers.of(kind, subresource, "create")
    return this.#answer(target, await handler.create(target, body, request), request)
  }

  /** Which object a request is about, if the user may ask for it; `allowed` when that is still to be said. */
  #open(
    verb: Verb,
    kind: Kind,
    ref: Ref,
    options: AskedOptions,
    subresource = "",
  ): { target: Target; allowed: void | Promise<void> } {
    // As over HTTP: what is not served has no path, and in a namespace there is nothing of what is in none.
    const isNowhere = subresource !== "" && !kind.namespaced && (ref.namespace ?? "") !== ""
    if (isNowhere || !this.#registry.serves(kind)) throw pathNotFound()
    const storage = this.#registry.storage(kind)
    const at = { namespace: kind.namespaced ? (ref.namespace ?? "") : "", name: ref.name }
    const target = { storage, ref: at, storages: this.#registry }
    return { target, allowed: this.#authorize(verb, kind, at, options, subresource) }
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

  #answer<R>(target: Target, answer: Answer, { warnings }: WriteRequest): R {
    const { onWarning } = this.#options
    if (onWarning) for (const warning of warnings) onWarning(warning)
    return valueOf<R>(target, answer)
  }
}

/** What a verb answered: of a stored object the frozen one that the cache has. The caller knows which kind it is. */
function valueOf<R>({ storage }: Target, { object, value }: Answer): R {
  return (object ? storage.view.value(object) : value) as R
}

/** A copy of the object in its shape: what the caller does to its own afterwards does not matter. Throws 400. */
function decode(shape: Shape, obj: unknown): KubeObject {
  const { group, version, kind, schema } = shape
  try {
    const own = decodeObject<KubeObject>(schema, deepClone(obj), { keepEmpties: true }).object
    own.kind = kind
    own.apiVersion = group === "" ? version : `${group}/${version}`
    own.metadata ??= {} as KubeObject["metadata"]
    return own
  } catch (thrown) {
    if (thrown instanceof DecodeError) throw badRequest(thrown.message)
    throw thrown
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
