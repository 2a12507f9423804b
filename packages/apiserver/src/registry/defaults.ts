/** Fills in what the user left out: what the shape states, then what the kind knows. */
import { applySchemaDefaults, type Kind, type KubeObject } from "@knarr/apimachinery"

export function setObjectDefaults(kind: Kind, obj: KubeObject): void {
  applySchemaDefaults(kind.schema, obj)
  kind.setDefaults?.(obj)
}
