/** Validation of storage capacities. Mirrors: pkg/apis/storage/validation/validation.go (ValidateCSIStorageCapacity) */
import {
  field,
  nameIsDNSSubdomain,
  parseQuantity,
  semanticEqual,
  validateLabelSelector,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutableMessage, notNegativeMessage, reasons } from "../../checks.ts"
import type { CSIStorageCapacity } from "./types.gen.ts"

/** Rules of a new capacity; in an update, what says of what it is the capacity must stay. */
export function validateCSIStorageCapacity(
  object: Readonly<CSIStorageCapacity>,
  old?: Readonly<CSIStorageCapacity>,
): FieldError[] {
  const { nodeTopology, storageClassName, capacity } = object
  const named = reasons(
    "storageClassName",
    storageClassName ?? "",
    nameIsDNSSubdomain(storageClassName ?? "", false),
  )
  if (old) {
    const changed = (["nodeTopology", "storageClassName"] as const).filter(
      (name) => !semanticEqual(object[name], old[name]),
    )
    return [...named, ...changed.map((name) => field.invalid(name, object[name] ?? null, immutableMessage))]
  }
  const out = [...validateLabelSelector(nodeTopology, "nodeTopology"), ...named]
  if (capacity !== undefined && parseQuantity(capacity).sign() < 0)
    out.push(field.invalid("capacity", capacity, notNegativeMessage))
  return out
}
