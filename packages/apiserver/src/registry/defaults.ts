/** Fills in what the user left out: what the shape states, then what the kind knows; `nowMs` is the time. */
import { applySchemaDefaults, type Kind, type KubeObject } from "@knarr/apimachinery"

export function setObjectDefaults(kind: Kind, obj: KubeObject, nowMs: number): void {
  // A shape with a reader of its own is that of a custom resource, whose definition knows all of its defaults.
  if (!kind.schema.reader) applySchemaDefaults(kind.schema, obj)
  kind.setDefaults?.(obj, nowMs)
}
