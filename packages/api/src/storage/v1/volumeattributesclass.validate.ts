/** Validation of classes of volume attributes. Mirrors: pkg/apis/storage/validation/validation.go (ValidateVolumeAttributesClass) */
import { field, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { required } from "../../checks.ts"
import { validateParameters, validateProvisioner } from "./parameters.validate.ts"
import type { VolumeAttributesClass } from "./types.gen.ts"

export function validateVolumeAttributesClass(
  { driverName, parameters }: Readonly<VolumeAttributesClass>,
  old?: Readonly<VolumeAttributesClass>,
): FieldError[] {
  const out: FieldError[] = []
  if (old && driverName !== old.driverName)
    out.push(field.forbidden("driverName", "updates to driverName are forbidden."))
  if (old && !semanticEqual(parameters, old.parameters))
    out.push(field.forbidden("parameters", "updates to parameters are forbidden."))
  out.push(
    ...required("driverName", driverName),
    ...validateProvisioner("driverName", driverName),
    ...validateParameters("parameters", parameters),
  )
  if (Object.keys(parameters ?? {}).length === 0)
    out.push(field.required("parameters", "must contain at least one key/value pair"))
  return out
}
