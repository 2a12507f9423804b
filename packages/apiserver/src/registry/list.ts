/**
 * Lists: from the cache, or from the store for an old revision. Pages continue at the revision of the first one.
 * Mirrors: apiserver pkg/storage/etcd3/store.go GetList, pkg/storage/cacher
 */
import { badRequest, resourceExpired, type FieldError, field, invalid } from "@knarr/apimachinery"
import { abortable, messageOf } from "@knarr/base"
import { CompactedError, FutureRevisionError, type KeyValue } from "@knarr/store"
import type { CachedObject } from "./cached-object.ts"
import { conversionBatch } from "./converter.ts"
import { decodeContinue, encodeContinue } from "./continue-token.ts"
import { parseResourceVersion, tooLargeResourceVersion, waitForRevision } from "./revisions.ts"
import type { Selection } from "./selection.ts"
import type { ResourceStorage } from "./storage.ts"

export interface ListQuery {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly limit?: number | undefined
  readonly continue?: string | undefined
  readonly resourceVersion?: string | undefined
  readonly resourceVersionMatch?: string | undefined
  readonly sendInitialEvents?: boolean | undefined
}

export interface ListResult {
  /** In order. With `selection` not `all`, and no limit, these still have to be filtered by it. */
  readonly items: CachedObject[]
  readonly selection: Selection
  /** Whether `items` are filtered already. */
  readonly filtered: boolean
  readonly revision: number
  /** "" at the end. */
  readonly continue: string
  readonly remaining: number | undefined
}

/** The objects of a list that its selectors match. */
export function matching({ items, selection, filtered }: ListResult): CachedObject[] {
  return filtered ? items : items.filter((object) => selection.matches(object))
}

/** Mirrors: apimachinery internalversion/validation */
function validateListQuery(query: ListQuery): void {
  const errors: FieldError[] = []
  const match = query.resourceVersionMatch ?? ""
  const path = "resourceVersionMatch"
  if (match !== "") {
    if (!query.resourceVersion) {
      errors.push(
        field.forbidden(path, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
      )
    }
    if (query.continue) {
      errors.push(field.forbidden(path, "resourceVersionMatch is forbidden when continue is provided"))
    }
    if (match !== "Exact" && match !== "NotOlderThan") {
      errors.push(field.notSupported(path, match, ["Exact", "NotOlderThan", ""]))
    }
    if (match === "Exact" && query.resourceVersion === "0") {
      errors.push(field.forbidden(path, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    }
  }
  if (query.sendInitialEvents !== undefined) {
    errors.push(field.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
  }
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", errors)
}

/** Answers a list. Throws StatusErrors: 400, 410, 422, 504. */
export async function listObjects(
  storage: ResourceStorage,
  query: ListQuery,
  signal?: AbortSignal,
): Promise<ListResult> {
  validateListQuery(query)
  storage.checkDecrypted()
  const selection = storage.select(query)
  checkResourceVersion(query.resourceVersion ?? "")
  const version = query.resourceVersion ?? ""
  // What is served from the cache, however old, comes as a whole.
  const limit = version !== "0" && query.limit && query.limit > 0 ? query.limit : 0
  if (query.continue) {
    if (version !== "" && version !== "0") {
      throw badRequest("specifying resource version is not allowed when using continue")
    }
    const token = decodeContinue(query.continue)
    await waitForRevision(storage, "", signal)
    const start = keyPrefix(selection) + token.start
    if (token.revision < 0) return fromCache(storage, selection, limit, start, signal)
    return atRevision(storage, selection, limit, start, token.revision, signal)
  }
  if (query.resourceVersionMatch === "Exact") {
    const revision = parseResourceVersion(version)
    return atRevision(storage, selection, limit, keyPrefix(selection), revision, signal)
  }
  await waitForRevision(storage, version, signal)
  return fromCache(storage, selection, limit, "", signal)
}

function checkResourceVersion(text: string): void {
  try {
    parseResourceVersion(text)
  } catch (thrown) {
    throw badRequest(`invalid resource version: ${messageOf(thrown)}`)
  }
}

function keyPrefix(selection: Selection): string {
  return selection.namespace === "" ? "" : `${selection.namespace}/`
}

async function fromCache(
  storage: ResourceStorage,
  selection: Selection,
  limit: number,
  start: string,
  signal: AbortSignal | undefined,
): Promise<ListResult> {
  const { cache, deps } = storage
  const { revision } = deps.follower
  if (limit === 0 && start === "") {
    const items = cache.candidates(selection)
    if (selection.waits) await allReady(selection, items, signal)
    return { items, selection, filtered: selection.all, revision, continue: "", remaining: undefined }
  }
  const items = cache.collect(selection.namespace, start)
  if (selection.waits) await allReady(selection, items, signal)
  return page(items, selection, limit, revision, selection.all)
}

/** The first `limit` of `objects` that match. */
function page(
  objects: readonly CachedObject[],
  selection: Selection,
  limit: number,
  revision: number,
  countRest: boolean,
): ListResult {
  const items: CachedObject[] = []
  for (let i = 0; i < objects.length; i++) {
    const object = objects[i]!
    if (!selection.all && !selection.matches(object)) continue
    items.push(object)
    if (items.length === limit && i + 1 < objects.length && !selection.one) {
      const start = object.key.slice(keyPrefix(selection).length) + "\0"
      const remaining = countRest ? objects.length - i - 1 : undefined
      return {
        items,
        selection,
        filtered: true,
        revision,
        continue: encodeContinue({ revision, start }),
        remaining,
      }
    }
  }
  return { items, selection, filtered: true, revision, continue: "", remaining: undefined }
}

async function atRevision(
  storage: ResourceStorage,
  selection: Selection,
  limit: number,
  start: string,
  revision: number,
  signal: AbortSignal | undefined,
): Promise<ListResult> {
  const { cache, deps } = storage
  // Nothing has changed since: the cache holds that very state. A compacted revision expires nevertheless.
  const kept = revision >= deps.store.compactRevision && revision <= deps.follower.revision
  if (kept && revision >= cache.changedAt) {
    const items = cache.collect(selection.namespace, start)
    if (selection.waits) await allReady(selection, items, signal)
    return page(items, selection, limit, revision, selection.all)
  }
  const prefix = cache.prefix + keyPrefix(selection)
  let from = cache.prefix + start
  const items: CachedObject[] = []
  const chunk = limit > 0 ? Math.max(limit, 100) : 1000
  try {
    for (;;) {
      const range = await deps.store.range({ prefix, from, limit: chunk, revision })
      const states = range.kvs.map((kv) => stateOf(storage, kv))
      await allReady(
        selection,
        states.filter((state) => state !== undefined),
        signal,
      )
      for (const [i, kv] of range.kvs.entries()) {
        const object = states[i]
        if (!object) continue
        if (!selection.all && !selection.matches(object)) continue
        items.push(object)
        if (items.length !== limit) continue
        const last = range.kvs.length < chunk && i + 1 === range.kvs.length
        if (last) break
        const token = encodeContinue({ revision, start: kv.key.slice(prefix.length) + "\0" })
        const rest = selection.all ? await countAfter(storage, prefix, kv.key, revision) : undefined
        if (rest === 0) break
        return { items, selection, filtered: true, revision, continue: token, remaining: rest }
      }
      if (range.kvs.length < chunk) break
      from = range.kvs[range.kvs.length - 1]!.key + "\0"
    }
  } catch (thrown) {
    throw asExpired(storage, thrown, revision, start.slice(keyPrefix(selection).length))
  }
  return { items, selection, filtered: true, revision, continue: "", remaining: undefined }
}

async function countAfter(
  storage: ResourceStorage,
  prefix: string,
  key: string,
  revision: number,
): Promise<number> {
  const { store } = storage.deps
  let count = 0
  for (let from = key + "\0"; ;) {
    const range = await store.range({ prefix, from, revision, limit: 5000 })
    count += range.kvs.length
    if (range.kvs.length < 5000) return count
    from = range.kvs[range.kvs.length - 1]!.key + "\0"
  }
}

/** Undefined for what cannot be read. */
function stateOf({ cache }: ResourceStorage, kv: KeyValue): CachedObject | undefined {
  const present = cache.get(kv.key.slice(cache.prefix.length))
  return present?.revision === kv.modRevision ? present : cache.read(kv)
}

/** Converts `objects`, slice by slice, where a view waits for that, or a selection for fields that only then are there. */
export async function allReady(
  view: Pick<Selection, "waits" | "ready">,
  objects: readonly CachedObject[],
  signal?: AbortSignal,
): Promise<void> {
  if (!view.waits) return
  for (let at = 0; at < objects.length; at += conversionBatch) {
    const wait = view.ready(objects.slice(at, at + conversionBatch))
    if (wait) await (signal ? abortable(wait, signal) : wait)
  }
}

const inconsistentContinue =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list " +
  "without the continue parameter, or use the continue token in this response to retrieve the remainder of the " +
  "results. Continuing with the provided token results in an inconsistent list - objects that were created, " +
  "modified, or deleted between the time the first chunk was returned and now may show up in the list."

function asExpired(storage: ResourceStorage, thrown: unknown, revision: number, start: string): unknown {
  if (thrown instanceof FutureRevisionError)
    return tooLargeResourceVersion(revision, storage.deps.follower.revision)
  if (!(thrown instanceof CompactedError)) return thrown
  if (start === "") return resourceExpired("The resourceVersion for the provided list is too old.")
  const error = resourceExpired(inconsistentContinue)
  error.status.metadata = { ...error.status.metadata, continue: encodeContinue({ revision: -1, start }) }
  return error
}
