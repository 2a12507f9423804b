/**
 * What an update through the resource itself, `status` and the other subresources of the same kind may change.
 * Subresources with rules of their own are in subresources/.
 */
import {
  deepClone,
  type FieldError,
  type Kind,
  type KubeObject,
  type StrategyContext,
} from "@knarr/apimachinery"
import { raiseGeneration } from "./metadata.ts"

/** The rules of one endpoint; `T` is the kind. */
export interface UpdateStrategy<T extends KubeObject = any> {
  /** Puts back what this endpoint does not change. Runs before managed fields are computed, and again after admission. */
  keep(kind: Kind, obj: T, old: Readonly<T>): void
  prepare(kind: Kind, obj: T, old: Readonly<T>, ctx: StrategyContext): void
  validate(kind: Kind, obj: Readonly<T>, old: Readonly<T>, nowMs: number): FieldError[]
}

type Loose = Record<string, unknown>

/** Copies the named top-level fields of `old`, or removes them. */
export function keepFields(obj: KubeObject, old: Readonly<KubeObject>, names: Iterable<string>): void {
  const to = obj as unknown as Loose
  const from = old as unknown as Loose
  for (const name of names) {
    if (from[name] === undefined) delete to[name]
    else to[name] = deepClone(from[name])
  }
}

export const mainStrategy: UpdateStrategy<KubeObject> = {
  keep(kind, obj, old) {
    if (kind.subresources.has("status")) keepFields(obj, old, ["status"])
  },
  prepare(kind, obj, old, ctx) {
    kind.prepareForUpdate?.(obj, old, ctx)
    if (kind.raisesGeneration) raiseGeneration(obj, old)
  },
  validate: (kind, obj, old) => [
    ...(kind.validate?.(obj, old) ?? []),
    ...(kind.validateUpdate?.(obj, old) ?? []),
  ],
}

export const statusStrategy: UpdateStrategy<KubeObject> = {
  keep(kind, obj, old) {
    const names = new Set([...Object.keys(obj), ...Object.keys(old)])
    for (const name of ["kind", "apiVersion", "metadata", "status"]) names.delete(name)
    keepFields(obj, old, names)
    keepMetadata(kind, obj, old)
  },
  prepare: (kind, obj, old, ctx) => kind.prepareForStatusUpdate?.(obj, old, ctx),
  validate: (kind, obj, old, nowMs) => kind.validateStatusUpdate?.(obj, old, nowMs) ?? [],
}

/** What belongs to the write itself, whatever else an update of `status` keeps. */
const ofTheWrite = new Set(["managedFields", "resourceVersion", "name", "namespace", "uid"])

/** Puts back the metadata that an update of the kind's `status` does not change; a custom resource's is all of it. */
function keepMetadata(kind: Kind, obj: KubeObject, old: Readonly<KubeObject>): void {
  const kept = kind.rules === "structural" ? "metadata" : (kind.statusKeeps ?? [])
  const to = obj.metadata as unknown as Loose
  const from = old.metadata as unknown as Loose
  const names = kept === "metadata" ? new Set([...Object.keys(to), ...Object.keys(from)]) : new Set(kept)
  for (const name of names) {
    if (ofTheWrite.has(name)) continue
    if (from[name] === undefined) delete to[name]
    else to[name] = deepClone(from[name])
  }
}
