/**
 * Deleting an object: at once, gracefully (pods), or by finalizers.
 * Mirrors: apiserver pkg/registry/rest/delete.go, pkg/registry/generic/registry/store.go
 */
import {
  conflict,
  deepClone,
  formatTime,
  invalid,
  isNotFound,
  field,
  type FieldError,
  type KubeObject,
  parseTime,
} from "@knarr/apimachinery"
import { admissionAttributes } from "./admit.ts"
import type { CachedObject } from "./cached-object.ts"
import { finalizersFor, markAsDeleting, setFinalizers } from "./finalizers.ts"
import type { DeletionOptions, ObjectRef, WriteRequest } from "./request.ts"
import type { ResourceStorage } from "./storage.ts"
import { beginTermination } from "./termination.ts"
import { preconditionFailed } from "./update.ts"

export interface Deleted {
  /** The last state seen; the present one when the object is still there. */
  readonly object: CachedObject
  /** The object is gone. */
  readonly gone: boolean
  /** Answer a Status rather than the object. */
  readonly asStatus: boolean
}

/**
 * Deletes one object, or begins to. Throws NotFound, conflicts of preconditions, or what admission says; it is not asked
 * when it `admitted` what the deletion is a part of.
 */
export async function deleteObject(
  storage: ResourceStorage,
  ref: ObjectRef,
  options: DeletionOptions,
  request: WriteRequest,
  { admitted = false }: { readonly admitted?: boolean } = {},
): Promise<Deleted> {
  validateDeletion(options)
  const { kind } = storage
  if (kind.deleteWarnings) request.warnings.push(...kind.deleteWarnings(options))
  const wait = storage.fresh(request.signal)
  if (wait) await wait
  if (kind.termination) {
    const early = await beginTermination(storage, kind.termination, ref, options, request)
    if (early) return { object: early, gone: false, asStatus: false }
  }
  const first = storage.cache.get(storage.keyAsked(ref))
  if (!first) throw storage.notFound(ref.name)
  if (options.ignoreStoreReadErrorWithClusterBreakingPotential)
    throw conflict(
      storage.resource,
      ref.name,
      `StorageError: invalid object, Code: 4, Key: ${storage.cache.prefix + storage.key(ref)}, ResourceVersion: ` +
        `${first.revision}, AdditionalErrorMsg: unsafe deletion is not allowed because the object is decodable from storage`,
    )
  const asStatus = !kind.returnDeletedObject
  const admit = async (old: Readonly<KubeObject>): Promise<void> => {
    if (admitted) return
    const attributes = admissionAttributes(
      storage,
      ref,
      { operation: "DELETE", object: undefined, oldObject: old },
      request,
    )
    await storage.deps.admission.admit(attributes)
    await storage.deps.admission.validate(attributes)
    admitted = true
  }
  let last: CachedObject = first
  let updated = false
  let stillThere = true
  try {
    const written = await storage.write(storage.key(ref), request, async (current) => {
      if (!current) throw storage.notFound(ref.name)
      last = current
      const old = storage.view.value(current)
      if (updated) checkAtWrite(storage, ref, options, old, true)
      else checkPreconditions(storage, options, old)
      await admit(old)
      const plan = planDeletion(storage, old, options, storage.deps.env.clock.now())
      if (plan.action === "pending") {
        stillThere = true
        return { keep: current }
      }
      if (plan.action === "remove") {
        stillThere = false
        return { remove: true }
      }
      stillThere = plan.stays
      return { put: plan.next }
    })
    last = written.object
    if (written.outcome === "removed") return { object: last, gone: true, asStatus }
    if (stillThere)
      return { object: last, gone: false, asStatus: asStatus && written.outcome === "unchanged" }
    updated = true
    if (request.dryRun) return { object: last, gone: true, asStatus }
    // Marked with a grace of nothing: now it goes. Whoever removes it first does us a favour.
    const removed = await storage.write(storage.key(ref), request, async (current) => {
      if (!current) throw storage.notFound(ref.name)
      checkAtWrite(storage, ref, options, storage.view.value(current), true)
      return { remove: true }
    })
    return { object: removed.object, gone: true, asStatus }
  } catch (thrown) {
    if (updated && isNotFound(thrown)) return { object: last, gone: true, asStatus }
    throw thrown
  }
}

type Plan =
  | { action: "pending" }
  | { action: "remove" }
  /** `stays`: the object remains after the update. */
  | { action: "mark"; next: KubeObject; stays: boolean }

/** What a deletion does to an object in this state. */
function planDeletion(
  storage: ResourceStorage,
  old: Readonly<KubeObject>,
  options: DeletionOptions,
  nowMs: number,
): Plan {
  const next = deepClone(old) as KubeObject
  const { metadata } = next
  const grace = gracefully(storage, next, options, nowMs)
  if (grace === "pending") return { action: "pending" }
  const finalizers = finalizersFor(storage, old, options)
  if (finalizers) setFinalizers(next, finalizers)
  const pending = (metadata.finalizers?.length ?? 0) > 0
  if (grace === undefined) {
    if (!pending) return { action: "remove" }
    markAsDeleting(next, nowMs)
    return { action: "mark", next, stays: true }
  }
  return { action: "mark", next, stays: pending || grace > 0 }
}

/** Sets the time by which the object must be gone; undefined when the kind knows no grace or it makes no difference. */
function gracefully(
  storage: ResourceStorage,
  obj: KubeObject,
  options: DeletionOptions,
  nowMs: number,
): number | "pending" | undefined {
  const { kind } = storage
  const { metadata } = obj
  let requested = options.gracePeriodSeconds
  if (requested !== undefined && requested < 0) requested = 1
  if ((metadata.deletionGracePeriodSeconds ?? 0) < 0) metadata.deletionGracePeriodSeconds = 1
  if (!kind.gracePeriodSeconds) return undefined
  const old = metadata.deletionGracePeriodSeconds
  if (metadata.deletionTimestamp) {
    if (old === undefined) return undefined
    if (requested === undefined || requested >= old) return "pending"
    const begun = parseTime(metadata.deletionTimestamp) - old * 1000
    metadata.deletionTimestamp = formatTime(begun + requested * 1000)
    metadata.deletionGracePeriodSeconds = requested
    return requested
  }
  const period = kind.gracePeriodSeconds(obj, requested)
  if (period === undefined) return undefined
  metadata.deletionTimestamp = formatTime(nowMs + period * 1000)
  metadata.deletionGracePeriodSeconds = period
  if (metadata.generation) metadata.generation++
  return period
}

/** Throws 422. Mirrors: apimachinery meta/v1/validation ValidateDeleteOptions */
export function validateDeletion(options: DeletionOptions & { readonly dryRun?: readonly string[] }): void {
  const errors: FieldError[] = []
  if (options.propagationPolicy !== undefined && options.orphanDependents !== undefined) {
    errors.push(
      field.invalid(
        "propagationPolicy",
        options.propagationPolicy,
        "orphanDependents and deletionPropagation cannot be both set",
      ),
    )
  }
  const policies = ["Foreground", "Background", "Orphan"]
  if (options.propagationPolicy !== undefined && !policies.includes(options.propagationPolicy)) {
    errors.push(field.notSupported("propagationPolicy", options.propagationPolicy, [...policies, "nil"]))
  }
  if (options.dryRun?.some((value) => value !== "All"))
    errors.push(field.notSupported("dryRun", options.dryRun, ["All"]))
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", errors)
}

/** The early check, in its own words. */
function checkPreconditions(
  storage: ResourceStorage,
  { preconditions }: DeletionOptions,
  old: Readonly<KubeObject>,
): void {
  const { group, kind } = storage.kind
  const { name, uid, resourceVersion } = old.metadata
  if (preconditions?.uid !== undefined && preconditions.uid !== uid) {
    throw conflict(
      { group, resource: kind },
      name,
      `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). ` +
        "The object might have been deleted and then recreated",
    )
  }
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    throw conflict(
      { group, resource: kind },
      name,
      `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ` +
        `ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    )
  }
}

/** The check of the second step, after our own update has changed the resourceVersion. */
function checkAtWrite(
  storage: ResourceStorage,
  ref: ObjectRef,
  { preconditions }: DeletionOptions,
  old: Readonly<KubeObject>,
  ownUpdate: boolean,
): void {
  if (preconditions?.uid !== undefined && preconditions.uid !== old.metadata.uid) {
    throw preconditionFailed(storage, ref, "UID", preconditions.uid, old.metadata.uid)
  }
  if (!ownUpdate && preconditions?.resourceVersion !== undefined) {
    const { resourceVersion } = old.metadata
    if (preconditions.resourceVersion !== resourceVersion) {
      throw preconditionFailed(
        storage,
        ref,
        "ResourceVersion",
        preconditions.resourceVersion,
        resourceVersion,
      )
    }
  }
}

/** Deletes each of `objects`; those that are gone already do not matter. Answers what was deleted. */
export async function deleteCollection(
  storage: ResourceStorage,
  objects: readonly CachedObject[],
  options: DeletionOptions,
  request: WriteRequest,
): Promise<CachedObject[]> {
  const out: CachedObject[] = []
  const pending = objects.slice()
  const work = async (): Promise<void> => {
    for (let object = pending.shift(); object; object = pending.shift()) {
      request.signal?.throwIfAborted()
      try {
        await deleteObject(
          storage,
          { namespace: object.namespace, name: object.name },
          { ...options },
          request,
        )
        out.push(object)
      } catch (thrown) {
        if (!isNotFound(thrown)) throw thrown
      }
    }
  }
  // A few at a time share the store's commits without filling its queue.
  await Promise.all(Array.from({ length: Math.min(16, pending.length) }, work))
  return out
}
