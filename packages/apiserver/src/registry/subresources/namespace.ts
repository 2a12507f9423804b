/** Namespaces end in two steps: marked as terminating first, gone when nothing is left in them. Mirrors: pkg/registry/core/namespace/storage */
import { deepClone, formatTime, type KubeObject } from "@knarr/apimachinery"
import { admissionAttributes } from "../admit.ts"
import type { CachedObject } from "../cached-object.ts"
import { finalizersFor, setFinalizers } from "../finalizers.ts"
import type { DeletionOptions, ObjectRef, WriteRequest } from "../request.ts"
import type { ResourceStorage } from "../storage.ts"
import { preconditionFailed } from "../update.ts"
import { keepFields, mainStrategy, type UpdateStrategy } from "../update-strategies.ts"
import { partOfObject } from "../verbs/stored.ts"

interface Namespace extends KubeObject {
  spec?: { finalizers?: string[] }
  status?: { phase?: string }
}

/**
 * The first steps of deleting a namespace: answers its state when it stays, undefined when the usual deletion
 * may go on.
 */
export async function deleteNamespace(
  storage: ResourceStorage,
  ref: ObjectRef,
  options: DeletionOptions,
  request: WriteRequest,
): Promise<CachedObject | undefined> {
  const found = storage.cache.get(storage.key(ref))
  if (!found) throw storage.notFound(ref.name)
  const present = found.value as Namespace
  if (present.metadata.deletionTimestamp) {
    return (present.spec?.finalizers?.length ?? 0) > 0 ? found : undefined
  }
  // Whatever happens until the write: it is this namespace that is meant.
  const { preconditions } = options
  const uid = preconditions?.uid ?? present.metadata.uid
  const written = await storage.write(storage.key(ref), request, async (current) => {
    if (!current) throw storage.notFound(ref.name)
    const old = current.value as Namespace
    if (old.metadata.uid !== uid) throw preconditionFailed(storage, ref, "UID", uid, old.metadata.uid)
    const version = preconditions?.resourceVersion
    if (version !== undefined && version !== old.metadata.resourceVersion) {
      throw preconditionFailed(storage, ref, "ResourceVersion", version, old.metadata.resourceVersion)
    }
    const attributes = admissionAttributes(
      storage,
      ref,
      { operation: "DELETE", object: undefined, oldObject: old },
      request,
    )
    await storage.deps.admission.admit(attributes)
    await storage.deps.admission.validate(attributes)
    const next = deepClone(old)
    next.metadata.deletionTimestamp ??= formatTime(storage.deps.env.clock.now())
    next.status = { ...next.status, phase: "Terminating" }
    const finalizers = finalizersFor(storage, old, { ...options, ...orphanOnly(options) })
    if (finalizers) setFinalizers(next, finalizers)
    return { put: next }
  })
  return written.object
}

/** Only the orphan policy counts for a namespace: what is in it is removed by its own controller. */
function orphanOnly(options: DeletionOptions): DeletionOptions {
  const orphan = options.orphanDependents ?? options.propagationPolicy === "Orphan"
  return { orphanDependents: orphan, propagationPolicy: undefined }
}

const strategy: UpdateStrategy = {
  keep(_kind, obj, old) {
    keepFields(obj, old, ["status"])
  },
  prepare() {},
  validate: mainStrategy.validate,
}

/** `finalize` changes `spec.finalizers` alone. */
export const finalize = partOfObject({ resource: "namespaces", name: "finalize", strategy })
