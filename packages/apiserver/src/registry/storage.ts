/**
 * The one generic store behind every kind: reads from the watch cache, writes through the strategy of the kind
 * to the store. Rules of the verbs are in create.ts, update.ts, delete.ts and patch.ts.
 * Mirrors: apiserver pkg/registry/generic/registry/store.go
 */
import {
  badRequest,
  conflict,
  goQuote,
  isPathSegmentName,
  internalError,
  type Kind,
  type KubeObject,
  notFound,
  optimisticLockMessage,
  type StatusError,
  groupResourceText,
  tooManyRequests,
  unexpectedError,
} from "@knarr/apimachinery"
import { abortable, type Env, whenReady } from "@knarr/base"
import type { Store } from "@knarr/store"
import type { Admission } from "../contract.ts"
import { storeFailure } from "./answers.ts"
import { cachedObject, type CachedObject } from "./cached-object.ts"
import type { Follower } from "./follower.ts"
import { KindView } from "./kind-view.ts"
import { encodeStored, prefixLength, sameContent } from "./object-codec.ts"
import type { ObjectRef } from "./request.ts"
import type { Resource } from "./resource.ts"
import { selectionOf, type Selection } from "./selection.ts"
import type { TtlLeases } from "./ttl-leases.ts"
import { waitForRevision } from "./revisions.ts"
import type { WatchCache } from "./watch-cache.ts"
import type { WriteHooks } from "./write-hooks.ts"

/** What the storages of one registry share. */
export interface StorageDeps {
  readonly env: Env
  readonly store: Store
  readonly follower: Follower
  readonly leases: TtlLeases
  /** How long objects stay that end by themselves; default: as their kind says. */
  readonly ttlSeconds?: number | undefined
  /** How long a watch lasts at the least when it does not say, and at the most twice as long; default 1,800,000. */
  readonly watchTimeoutMs?: number | undefined
  readonly admission: Admission
  /** Allocations around the writes of a kind (services). */
  hooksOf(kind: Kind): WriteHooks | undefined
}

/** What becomes of an object in {@link ResourceStorage.write}. */
export type Change =
  | { readonly put: KubeObject }
  /** Nothing is written; the answer is `keep`. */
  | { readonly keep: CachedObject }
  /** `answer`, when given, is what the answer shows instead of the state that was removed. */
  | { readonly remove: true; readonly answer?: KubeObject }

/** Decides what becomes of the present state. */
type ChangeOf = (current: CachedObject | undefined) => Promise<Change>

interface WriteRun {
  readonly dryRun: boolean
  /** What is not there is made: the store refuses it when it is, so that nobody need ask beforehand. */
  readonly creates?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Written {
  /** The new state; after a removal the last state with the revision of the removal. */
  readonly object: CachedObject
  readonly outcome: "created" | "updated" | "unchanged" | "removed"
}

/** What etcd takes is 1.5 MiB of protobuf, which is about this much JSON; no larger body could update the object. */
const maxStoredBytes = 3 * 1024 * 1024

export class ResourceStorage {
  readonly view: KindView
  readonly cache: WatchCache
  readonly deps: StorageDeps

  constructor(kind: Kind, resource: Resource, deps: StorageDeps) {
    this.view = new KindView(kind, resource)
    this.cache = resource.cache
    this.deps = deps
  }

  get kind(): Kind {
    return this.view.kind
  }

  get resource(): { group: string; resource: string } {
    return { group: this.kind.group, resource: this.kind.plural }
  }

  notFound(name: string): StatusError {
    return notFound(this.resource, name)
  }

  /** The key of what is asked for by its name. Throws 400 for a name that nothing can have. Mirrors: NamespaceKeyFunc */
  keyAsked(ref: ObjectRef): string {
    const problems = isPathSegmentName(ref.name)
    if (problems.length === 0) return this.key(ref)
    throw badRequest(`Name parameter invalid: ${goQuote(ref.name)}: ${problems.join(";")}`)
  }

  /** The key in the cache. */
  key(ref: ObjectRef): string {
    return this.kind.namespaced ? `${ref.namespace}/${ref.name}` : ref.name
  }

  select(options: {
    namespace?: string | undefined
    labelSelector?: string | undefined
    fieldSelector?: string | undefined
  }): Selection {
    return selectionOf(this.kind, this.view, options)
  }

  /** Waits until the cache holds everything that the store has committed. Rejects with a StatusError when that cannot be had. */
  fresh(signal?: AbortSignal): Promise<void> | undefined {
    const { follower, store } = this.deps
    const newest = store.currentRevision(signal)
    if (newest instanceof Promise)
      return newest.then(
        (revision) => follower.reach(revision, signal),
        (thrown: unknown) => {
          throw storeFailure(thrown)
        },
      )
    return follower.revision >= newest ? undefined : follower.reach(newest, signal)
  }

  /** The present state, at once when nothing is to be waited for; `resourceVersion` as in GetOptions. Throws NotFound. */
  get(ref: ObjectRef, resourceVersion = "", signal?: AbortSignal): CachedObject | Promise<CachedObject> {
    return whenReady(waitForRevision(this, resourceVersion, signal), () => this.#present(ref, signal))
  }

  #present(ref: ObjectRef, signal: AbortSignal | undefined): CachedObject | Promise<CachedObject> {
    const key = this.keyAsked(ref)
    const found = this.cache.get(key)
    if (!found) throw this.cache.isUnreadable(key) ? this.#unreadable(key) : this.notFound(ref.name)
    return this.#shown(found, signal)
  }

  /** The same object, when {@link view} can show it. */
  #shown(object: CachedObject, signal: AbortSignal | undefined): CachedObject | Promise<CachedObject> {
    const wait = this.view.waits ? this.view.ready([object]) : undefined
    if (!wait) return object
    return (signal ? abortable(wait, signal) : wait).then(() => object)
  }

  /** Whether an object is to be written even if that does not change it. */
  isStale(object: CachedObject): boolean | Promise<boolean> {
    const { store } = this.deps
    return object.stale || (store.isStale?.(this.cache.prefix + object.key) ?? false)
  }

  /**
   * Reads, lets `change` decide, writes; again from the start when somebody else wrote meanwhile. The value
   * that `change` puts is in this version and belongs to the registry from then on.
   */
  async write(key: string, options: WriteRun, change: ChangeOf): Promise<Written> {
    try {
      const written = await this.#write(key, options, change)
      if (this.view.waits) await this.view.ready([written.object])
      return written
    } catch (thrown) {
      throw storeFailure(thrown)
    }
  }

  async #write(key: string, options: WriteRun, change: ChangeOf): Promise<Written> {
    const { store, follower } = this.deps
    const { form } = this.cache
    const path = this.cache.prefix + key
    for (let first = true; ; first = false) {
      const isNew = first && options.creates && !options.dryRun && !this.cache.get(key)
      const wait = isNew ? undefined : this.fresh(options.signal)
      if (wait) await wait
      const current = this.cache.get(key)
      if (!current && this.cache.isUnreadable(key)) throw this.#unreadable(key)
      const seen = current && this.#shown(current, options.signal)
      if (seen instanceof Promise) await seen
      const wanted = await change(current)
      if ("keep" in wanted) return { object: wanted.keep, outcome: "unchanged" }
      if ("remove" in wanted) {
        if (!current) throw this.notFound(key.slice(key.indexOf("/") + 1))
        const answer =
          wanted.answer && this.transient(await this.view.toStored(wanted.answer), current.revision)
        if (options.dryRun) return { object: answer ?? current, outcome: "removed" }
        const result = await store.delete(path, { expected: current.revision })
        await follower.reach(result.revision, options.signal)
        if (!result.ok || !result.previous) continue
        const after = this.deps.hooksOf(this.view.stored)?.afterDelete?.(current.value)
        if (after) await after
        return { object: answer ?? current.at(result.revision), outcome: "removed" }
      }
      const converted = this.view.toStored(wanted.put)
      const value = converted instanceof Promise ? await converted : converted
      if (!options.dryRun) delete value.metadata.selfLink
      const stored = form.encode(value)
      if (
        current &&
        sameContent(current.bytes, prefixLength(current.bytes), form.json(stored)) &&
        !(await this.isStale(current))
      ) {
        return { object: current, outcome: "unchanged" }
      }
      const outcome = current ? "updated" : "created"
      if (options.dryRun) {
        return { object: this.transient(value, current?.revision ?? 0), outcome }
      }
      if (stored.length > maxStoredBytes) throw unexpectedError("etcdserver: request is too large")
      const { ttlSeconds } = this.view.stored
      const lease =
        ttlSeconds === undefined ? 0 : await this.deps.leases.lease(this.deps.ttlSeconds ?? ttlSeconds)
      const pending = this.cache.expect(key, stored, value)
      try {
        const result = await store.put(path, stored, { expected: current?.revision ?? 0, lease })
        await follower.reach(result.revision, options.signal)
        if (!result.ok) continue
        const object = pending.arrived ?? cachedObject(form, key, stored, result.revision)
        return { object, outcome }
      } catch (thrown) {
        if (ttlSeconds !== undefined) this.deps.leases.forget(ttlSeconds)
        throw thrown
      } finally {
        pending.cancel()
      }
    }
  }

  /** An object in its stored version as an answer that was not, or not so, stored. Takes `value` over. */
  transient(value: KubeObject, revision: number): CachedObject {
    const key = this.key({ namespace: value.metadata.namespace ?? "", name: value.metadata.name })
    return cachedObject(this.cache.form, key, encodeStored(value), revision, value)
  }

  /** What stands under `key` in the store is no object of the resource: who wants it back restores the store. */
  #unreadable(key: string): StatusError {
    const path = this.cache.prefix + key
    const problem = this.cache.problemOf(key)
    if (!problem) return internalError(`the object at ${path} of the store cannot be read`)
    return internalError(corruptObject(path.slice("/registry".length), problem))
  }

  /** Throws when there are objects that cannot be decrypted: without them no list would be whole. Mirrors: cacher.go */
  checkDecrypted(): void {
    const [first, ...more] = this.cache.undecryptable()
    if (!first) return
    const others = more.length > 0 ? ` (and ${more.length} more)` : ""
    throw tooManyRequests(
      "storage is (re)initializing: failed to list <unspecified>: failed to read one or more " +
        `${groupResourceText(this.resource)} from the storage: ${corruptObject(...first)}${others}`,
      30,
    )
  }

  /** The failure of a write whose resourceVersion is not the present one. */
  modified(name: string): StatusError {
    return conflict(this.resource, name, optimisticLockMessage)
  }
}

/** Mirrors: apiserver pkg/storage/errors.go StorageError */
function corruptObject(key: string, problem: Error): string {
  return `StorageError: corrupt object, Code: 7, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${problem.message}`
}
