/** Validation of volume claims. Mirrors: pkg/apis/core/validation/validation.go (ValidatePersistentVolumeClaim) */
import {
  compareQuantities,
  deepClone,
  field,
  isDNS1123Subdomain,
  nameIsDNSSubdomain,
  parseQuantity,
  semanticEqual,
  validateLabelSelector,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutable, oneOfIfSet, positiveMessage, reasons, required } from "../../checks.ts"
import { validateResourceQuantity } from "./resources.validate.ts"
import { goDiff } from "../../unified-diff.ts"
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from "./types.gen.ts"

export const accessModes: readonly string[] = [
  "ReadOnlyMany",
  "ReadWriteMany",
  "ReadWriteOnce",
  "ReadWriteOncePod",
]
export const volumeModes: readonly string[] = ["Block", "Filesystem"]

/** Access modes of a claim or a volume. */
export function validateAccessModes(path: string, modes: readonly string[] | undefined): FieldError[] {
  const out: FieldError[] = []
  for (const mode of modes ?? [])
    if (!accessModes.includes(mode)) out.push(field.notSupported(path, mode, accessModes))
  if (
    modes?.includes("ReadWriteOncePod") &&
    modes.some((mode) => mode !== "ReadWriteOncePod" && accessModes.includes(mode))
  )
    out.push(field.forbidden(path, "may not use ReadWriteOncePod with other access modes"))
  return out
}

/** The spec of a claim, in a claim or in a template. */
export function validateClaimSpec(path: string, spec: PersistentVolumeClaimSpec | undefined): FieldError[] {
  const out: FieldError[] = []
  if (!spec?.accessModes?.length)
    out.push(field.required(`${path}.accessModes`, "at least 1 access mode is required"))
  if (spec?.selector) out.push(...validateLabelSelector(spec.selector, `${path}.selector`))
  out.push(...validateAccessModes(`${path}.accessModes`, spec?.accessModes))
  const storage = spec?.resources?.requests?.["storage"]
  if (storage === undefined) out.push(field.required(`${path}.resources[storage]`, ""))
  else {
    const at = `${path}.resources[storage]`
    if (parseQuantity(storage).sign() <= 0) out.push(field.invalid(at, storage, positiveMessage))
    else out.push(...validateResourceQuantity(at, "storage", storage))
  }
  const className = spec?.storageClassName
  if (className)
    out.push(...reasons(`${path}.storageClassName`, className, nameIsDNSSubdomain(className, false)))
  out.push(...oneOfIfSet(`${path}.volumeMode`, spec?.volumeMode, volumeModes))
  for (const name of ["dataSource", "dataSourceRef"] as const) {
    const source = spec?.[name]
    if (!source) continue
    const at = `${path}.${name}`
    out.push(...required(`${at}.name`, source.name), ...required(`${at}.kind`, source.kind))
    if (!source.apiGroup && source.kind !== "PersistentVolumeClaim")
      out.push(
        field.invalid(
          at,
          source.kind,
          "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
        ),
      )
    if (source.apiGroup)
      out.push(...reasons(`${at}.apiGroup`, source.apiGroup, isDNS1123Subdomain(source.apiGroup)))
  }
  const attributes = spec?.volumeAttributesClassName
  if (attributes)
    out.push(
      ...reasons(`${path}.volumeAttributesClassName`, attributes, nameIsDNSSubdomain(attributes, false)),
    )
  return out
}

/** What may change in a claim: requests of a bound one, the attributes class, and the volume of an unbound one. */
export function validateClaimUpdate(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const out: FieldError[] = []
  const wanted = deepClone(claim.spec)
  const was = deepClone(old.spec)
  if (!old.spec.volumeName) was.volumeName = wanted.volumeName
  const beta = "volume.beta.kubernetes.io/storage-class"
  if (was.storageClassName === undefined && !old.metadata.annotations?.[beta]) {
    if (wanted.storageClassName !== undefined) was.storageClassName = wanted.storageClassName
  }
  const size = (spec: PersistentVolumeClaimSpec): string | undefined => spec.resources?.requests?.["storage"]
  const newSize = size(claim.spec)
  const oldSize = size(old.spec)
  if (old.status.phase === "Bound" && was.resources?.requests && newSize !== undefined)
    was.resources.requests["storage"] = newSize
  if (old.status.phase === "Bound") was.volumeAttributesClassName = wanted.volumeAttributesClassName
  if (!semanticEqual(wanted, was)) {
    const detail =
      "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
    const changed = goDiff("core.PersistentVolumeClaimSpec", was, wanted)
    out.push(field.forbidden("spec", `${detail}\n${changed}`))
  }
  const isLess = (a = "0", b = "0", orEqual = false): boolean =>
    compareQuantities(parseQuantity(a), parseQuantity(b)) < (orEqual ? 1 : 0)
  if (isLess(newSize, oldSize) && isLess(newSize, old.status.capacity?.["storage"], true))
    out.push(field.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
  out.push(...immutable("volumeMode", claim.spec.volumeMode, old.spec.volumeMode))
  const current = old.status.currentVolumeAttributesClassName
  if (current !== undefined && claim.spec.volumeAttributesClassName !== old.spec.volumeAttributesClassName) {
    const path = "spec.volumeAttributesClassName"
    const whenSet = "is forbidden when status.currentVolumeAttributesClassName is not nil"
    if (claim.spec.volumeAttributesClassName === undefined)
      out.push(field.forbidden(path, `update to nil ${whenSet}`))
    else if (claim.spec.volumeAttributesClassName === "")
      out.push(field.forbidden(path, `update to empty string ${whenSet}`))
  }
  return out
}
