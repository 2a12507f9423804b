/**
 * Objects that end in two steps (namespaces): marked as ending first, gone when nothing holds them any more.
 * Mirrors: pkg/registry/core/namespace/storage
 */
import { conflict, deepClone, formatTime, type Kind, type KubeObject } from "@knarr/apimachinery"
import { admissionAttributes } from "./admit.ts"
import type { CachedObject } from "./cached-object.ts"
import { finalizersFor, setFinalizers } from "./finalizers.ts"
import type { DeletionOptions, ObjectRef, WriteRequest } from "./request.ts"
import type { ResourceStorage } from "./storage.ts"
import { preconditionFailed } from "./update.ts"

/**
 * The first step of a deletion: answers the object's state when it stays, undefined when the usual deletion may go
 * on.
 */
export async function beginTermination(
  storage: ResourceStorage,
  termination: NonNullable<Kind["termination"]>,
  ref: ObjectRef,
  options: DeletionOptions,
  request: WriteRequest,
): Promise<CachedObject | undefined> {
  const found = storage.cache.get(storage.key(ref))
  if (!found) throw storage.notFound(ref.name)
  const present = storage.view.value(found)
  if (present.metadata.deletionTimestamp) return termination.isHeld(present) ? found : undefined
  // Whatever happens until the write: it is this object that is meant.
  const { preconditions } = options
  const uid = preconditions?.uid ?? present.metadata.uid
  const written = await storage.write(storage.key(ref), request, async (current) => {
    if (!current) throw storage.notFound(ref.name)
    const old = storage.view.value(current)
    if (preconditions) checkPreconditions(storage, ref, preconditions, old)
    if (old.metadata.uid !== uid) throw preconditionFailed(storage, ref, "UID", uid, old.metadata.uid)
    const attributes = admissionAttributes(
      storage,
      ref,
      { operation: "DELETE", object: undefined, oldObject: old },
      request,
    )
    await storage.deps.admission.admit(attributes)
    await storage.deps.admission.validate(attributes)
    const next = deepClone(old) as KubeObject
    next.metadata.deletionTimestamp ??= formatTime(storage.deps.env.clock.now())
    termination.begin(next)
    const finalizers = finalizersFor(storage, next, { ...options, ...orphanOnly(options) })
    if (finalizers) setFinalizers(next, finalizers)
    return { put: next }
  })
  return written.object
}

/** Only the orphan policy counts: what else depends on it is removed before it goes. */
function orphanOnly(options: DeletionOptions): DeletionOptions {
  const orphan = options.orphanDependents ?? options.propagationPolicy === "Orphan"
  return { orphanDependents: orphan, propagationPolicy: undefined }
}

/** Told in words of its own, and not as a failure of the store. Mirrors: BeforeDelete of both kinds' storage */
function checkPreconditions(
  storage: ResourceStorage,
  ref: ObjectRef,
  preconditions: NonNullable<DeletionOptions["preconditions"]>,
  { metadata }: Readonly<KubeObject>,
): void {
  const failed = storage.kind.group === "" ? "Precondition failed" : "precondition failed"
  const check = (what: string, wanted: string | undefined, found: string): void => {
    if (wanted === undefined || wanted === found) return
    const detail = `${failed}: ${what} in precondition: ${wanted}, ${what} in object meta: ${found}`
    throw conflict(storage.resource, ref.name, detail)
  }
  check("UID", preconditions.uid, metadata.uid)
  check("ResourceVersion", preconditions.resourceVersion, metadata.resourceVersion)
}
