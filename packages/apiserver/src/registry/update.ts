/**
 * Updating an object, through the resource or a subresource of its own kind: preconditions, managed fields,
 * admission, strategy, validation, and the end of an object whose last finalizer goes.
 * Mirrors: apiserver pkg/endpoints/handlers/update.go, pkg/registry/rest/update.go
 */
import {
  conflict,
  deepClone,
  field,
  invalid,
  type Kind,
  type KubeObject,
  nameIsPathSegment,
  validateObjectMeta,
  type StatusError,
  validateObjectMetaUpdate,
} from "@knarr/apimachinery"
import { admissionAttributes } from "./admit.ts"
import type { CachedObject } from "./cached-object.ts"
import { createObject } from "./create.ts"
import { setObjectDefaults } from "./defaults.ts"
import { equalButManagedTimes, trackUpdate } from "./managed-fields.ts"
import {
  dedupOwnerReferences,
  keepSystemFields,
  matchNamespace,
  toldErrors,
  validateOwnFinalizers,
} from "./metadata.ts"
import type { ObjectRef, WriteRequest } from "./request.ts"
import { checkVersionOfObject } from "./revisions.ts"
import type { Change, ResourceStorage, Written } from "./storage.ts"
import type { UpdateStrategy } from "./update-strategies.ts"
import { nothingAllocated, type Allocation } from "./write-hooks.ts"

export interface UpdateOptions {
  /** "" for the resource itself. */
  readonly subresource: string
  readonly strategy: UpdateStrategy
  /** The object that is to be stored, made anew for each attempt; it belongs to the registry. */
  next(current: Readonly<KubeObject> | undefined): KubeObject | Promise<KubeObject>
  /** A uid in the object must be that of the present one (PUT). */
  readonly checkUid?: boolean
  /** A missing object is created (apply). */
  readonly create?: boolean
  /** managedFields come with the object (apply). */
  readonly applied?: boolean
  /** What admission is shown in the place of the object and the present one; default: these. */
  readonly shown?: {
    of(obj: Readonly<KubeObject>): KubeObject
    /** Puts what admission made of it into the object. */
    take(obj: KubeObject, admitted: Readonly<KubeObject>): void
  }
}

/** Updates an object, or creates it where the kind or the caller allows that. */
export async function updateObject(
  storage: ResourceStorage,
  ref: ObjectRef,
  request: WriteRequest,
  options: UpdateOptions,
): Promise<Written> {
  const { kind } = storage
  const key = storage.keyAsked(ref)
  for (;;) {
    const wait = storage.fresh(request.signal)
    if (wait) await wait
    if (storage.cache.get(key)) {
      let allocation: Allocation = nothingAllocated
      let done = false
      try {
        const written = await storage.write(key, request, async (current) => {
          const reverting = allocation.revert()
          allocation = nothingAllocated
          if (reverting) await reverting
          if (!current) throw new VanishedError()
          return changeOf(storage, ref, current, request, options, (taken) => (allocation = taken))
        })
        done = written.outcome !== "removed"
        return written
      } catch (thrown) {
        if (thrown instanceof VanishedError) continue
        throw thrown
      } finally {
        const settled = done && !request.dryRun ? allocation.commit() : allocation.revert()
        if (settled) await settled
      }
    }
    if (options.subresource || !(options.create || kind.allowCreateOnUpdate)) throw storage.notFound(ref.name)
    const next = await options.next(undefined)
    if (options.checkUid) checkUid(storage, ref, next, "")
    const object = await createObject(
      storage,
      ref.namespace,
      next,
      request,
      options.applied ? { applied: true } : {},
    )
    return { object, outcome: "created" }
  }
}

/** The object was deleted between two steps: begin again. */
class VanishedError extends Error {}

async function changeOf(
  storage: ResourceStorage,
  ref: ObjectRef,
  current: CachedObject,
  request: WriteRequest,
  options: UpdateOptions,
  allocated: (allocation: Allocation) => void,
): Promise<Change> {
  const { kind, deps } = storage
  const { env, admission } = deps
  const { subresource, strategy } = options
  const old = storage.view.value(current)
  let obj = await options.next(old)
  if (options.checkUid) checkUid(storage, ref, obj, old.metadata.uid)
  const version = obj.metadata.resourceVersion ?? ""
  checkVersionOfObject(version)
  if (version === "" || version === "0") {
    if (kind.allowUnconditionalUpdate === false) {
      const error = field.invalid("metadata.resourceVersion", 0, "must be specified for an update")
      throw invalid({ group: kind.group, kind: kind.plural }, ref.name, [error])
    }
    obj.metadata.resourceVersion = String(current.revision)
  } else if (version !== String(current.revision)) throw storage.modified(ref.name)

  matchNamespace(kind, obj, ref.namespace)
  keepSystemFields(obj, old)
  strategy.keep(kind, obj, old)
  dedupOwnerReferences(obj, request.warnings, false)
  const nowMs = env.clock.now()
  if (!options.applied) trackUpdate(kind, old, obj, request.fieldManager, subresource, nowMs)
  const { shown } = options
  const what = (): Parameters<typeof admissionAttributes>[2] => ({
    operation: "UPDATE",
    object: shown ? shown.of(obj) : obj,
    oldObject: shown ? shown.of(old) : old,
    subresource,
  })
  const attributes = admissionAttributes(storage, ref, what(), request)
  const admitting = admission.admit(attributes)
  if (admitting) await admitting
  if (shown) shown.take(obj, attributes.object!)
  else obj = attributes.object!
  setObjectDefaults(kind, obj, nowMs)
  dedupOwnerReferences(obj, request.warnings, true)
  keepSystemFields(obj, old)
  strategy.keep(kind, obj, old)
  if (subresource === "") {
    const taken = deps.hooksOf(kind)?.beginUpdate?.(obj, old, request.dryRun)
    if (taken) allocated(taken instanceof Promise ? await taken : taken)
  }
  strategy.prepare(kind, obj, old, { nowMs, user: request.user })
  const own = subresource === "" ? deps.hooksOf(kind)?.validateUpdate?.(obj, old) : undefined
  const errors = [
    ...(own ?? []),
    ...validateObjectMeta(obj.metadata, kind.namespaced, nameIsPathSegment, "metadata"),
    ...validateObjectMetaUpdate(obj.metadata, old.metadata, "metadata"),
    ...validateOwnFinalizers(kind, obj),
    ...strategy.validate(kind, obj, old, nowMs),
  ]
  if (errors.length > 0) throw invalid(storage.view.stored, ref.name, toldErrors(kind, errors))
  if (kind.warnings && subresource === "") request.warnings.push(...kind.warnings(obj, old))
  const judging = admission.validate(admissionAttributes(storage, ref, what(), request))
  if (judging) await judging
  if (endsWith(kind, obj, old)) return { remove: true, answer: obj }
  if (equalButManagedTimes(obj, old) && !(await storage.isStale(current))) return { keep: current }
  return { put: obj }
}

/** A PUT of the same object again and again: each attempt gets a copy but the first. */
export function putting(obj: KubeObject): () => KubeObject {
  let original: KubeObject | undefined = deepClone(obj)
  let first = true
  return () => {
    if (first) {
      first = false
      return obj
    }
    const copy = deepClone(original!)
    return copy
  }
}

/** Whether the update takes the last finalizer of an object that waits to be deleted. */
function endsWith(kind: Kind, obj: Readonly<KubeObject>, old: Readonly<KubeObject>): boolean {
  if ((obj.metadata.finalizers?.length ?? 0) > 0 || !old.metadata.deletionTimestamp) return false
  if (kind.termination?.isHeld(obj)) return false
  return (old.metadata.deletionGracePeriodSeconds ?? 0) === 0
}

function checkUid(storage: ResourceStorage, ref: ObjectRef, obj: Readonly<KubeObject>, uid: string): void {
  const wanted = obj.metadata.uid
  if (wanted && wanted !== uid) throw preconditionFailed(storage, ref, "UID", wanted, uid)
}

/** The failure of a precondition at the moment of the write. Mirrors: apiserver pkg/storage/interfaces.go Preconditions.Check */
export function preconditionFailed(
  storage: ResourceStorage,
  ref: ObjectRef,
  what: "UID" | "ResourceVersion",
  wanted: string,
  found: string,
): StatusError {
  const key = storage.cache.prefix + storage.key(ref)
  return conflict(
    storage.resource,
    ref.name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ` +
      `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${found}`,
  )
}
