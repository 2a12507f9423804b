/** Rules of `metadata` that every write shares. Mirrors: apiserver pkg/registry/rest/{meta,create,update}.go */
import {
  distinctErrors,
  badRequest,
  formatTime,
  type Kind,
  type KubeObject,
  semanticEqual,
  type FieldError,
  validateKnownFinalizers,
} from "@knarr/apimachinery"
import { uuid, type Env } from "@knarr/base"

/** Sets what only the server sets on a new object. */
export function fillSystemFields(obj: KubeObject, env: Env): void {
  const { metadata } = obj
  metadata.uid = uuid(env.random)
  metadata.creationTimestamp = formatTime(env.clock.now())
  delete metadata.deletionTimestamp
  delete metadata.deletionGracePeriodSeconds
  delete metadata.selfLink
}

/** The namespace of the request is that of the object; an object without one takes it. Throws 400. */
export function matchNamespace(kind: Kind, obj: KubeObject, namespace: string): void {
  const { metadata } = obj
  const own = metadata.namespace ?? ""
  const wanted = kind.namespaced ? namespace : ""
  if (own === wanted) {
    if (own === "") delete metadata.namespace
    return
  }
  if (own === "") metadata.namespace = wanted
  else if (wanted === "") delete metadata.namespace
  else {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request")
  }
}

/** Removes repeated owner references, with a warning. `admitted` is true after mutating admission. */
export function dedupOwnerReferences(obj: KubeObject, warnings: string[], admitted: boolean): void {
  const refs = obj.metadata.ownerReferences
  if (!refs || refs.length < 2) return
  const seen = new Set<string>()
  const kept: typeof refs = []
  const doubled = new Set<string>()
  for (const ref of refs) {
    const text = JSON.stringify(Object.entries(ref).sort(([a], [b]) => (a < b ? -1 : 1)))
    if (seen.has(text)) doubled.add(ref.uid)
    else kept.push(ref)
    seen.add(text)
  }
  if (doubled.size === 0) return
  obj.metadata.ownerReferences = kept
  warnings.push(
    admitted
      ? ".metadata.ownerReferences contains duplicate entries after mutating admission happens; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests"
      : ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: " +
          [...doubled].join(", "),
  )
}

/** What an update may not change in `metadata` comes from the old object. */
export function keepSystemFields(obj: KubeObject, old: Readonly<KubeObject>): void {
  const { metadata } = obj
  const before = old.metadata
  metadata.uid ||= before.uid
  metadata.creationTimestamp = before.creationTimestamp
  if (before.deletionTimestamp) metadata.deletionTimestamp = before.deletionTimestamp
  if (before.deletionGracePeriodSeconds !== undefined)
    metadata.deletionGracePeriodSeconds ??= before.deletionGracePeriodSeconds
  if (before.generation !== undefined) metadata.generation = before.generation
  else delete metadata.generation
}

/** The problems of an object as they are told. */
export function toldErrors(kind: Kind, errors: readonly FieldError[]): readonly FieldError[] {
  return kind.repeatsProblems ? errors : distinctErrors(errors)
}

export function validateOwnFinalizers(kind: Kind, { metadata }: Readonly<KubeObject>): FieldError[] {
  if (kind.rules === "structural" || kind.finalizers === "qualified") return []
  return validateKnownFinalizers(metadata.finalizers ?? [], "metadata.finalizers")
}

/** Raises the generation when anything but metadata and status has changed. */
export function raiseGeneration(obj: KubeObject, old: Readonly<KubeObject>): void {
  if (sameSpec(obj, old)) return
  obj.metadata.generation = (old.metadata.generation ?? 0) + 1
}

const notSpec = new Set(["kind", "apiVersion", "metadata", "status"])

function sameSpec(obj: Readonly<KubeObject>, old: Readonly<KubeObject>): boolean {
  const a = obj as unknown as Record<string, unknown>
  const b = old as unknown as Record<string, unknown>
  for (const name in a) if (!notSpec.has(name) && !semanticEqual(a[name], b[name])) return false
  for (const name in b)
    if (!notSpec.has(name) && !(name in a) && !semanticEqual(b[name], undefined)) return false
  return true
}
