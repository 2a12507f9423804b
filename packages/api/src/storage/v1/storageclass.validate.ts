/** Validation of storage classes. Mirrors: pkg/apis/storage/validation/validation.go (ValidateStorageClass) */
import { field, semanticEqual, validateLabelName } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutableMessage, oneOfDefaulted, oneOfIfSet, repeated, required } from "../../checks.ts"
import type { TopologySelectorTerm } from "../../core/v1/types.gen.ts"
import { validateParameters, validateProvisioner } from "./parameters.validate.ts"
import type { StorageClass } from "./types.gen.ts"

/** Rules of a class, and of what changes in it. */
export function validateStorageClass(
  storageClass: Readonly<StorageClass>,
  old?: Readonly<StorageClass>,
): FieldError[] {
  const { provisioner, parameters, reclaimPolicy, volumeBindingMode, allowedTopologies } = storageClass
  return [
    ...validateProvisioner("provisioner", provisioner),
    ...validateParameters("parameters", parameters),
    ...oneOfIfSet("reclaimPolicy", reclaimPolicy || undefined, ["Delete", "Retain"]),
    ...oneOfDefaulted("volumeBindingMode", volumeBindingMode, ["Immediate", "WaitForFirstConsumer"]),
    ...validateTopologies("allowedTopologies", allowedTopologies),
    ...required("provisioner", provisioner),
    ...(old ? validateChange(storageClass, old) : []),
  ]
}

const fixed = ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"] as const

function validateChange(now: Readonly<StorageClass>, old: Readonly<StorageClass>): FieldError[] {
  return fixed
    .filter((name) => !semanticEqual(now[name], old[name]))
    .map((name) => field.invalid(name, null, immutableMessage))
}

function validateTopologies(path: string, terms: readonly TopologySelectorTerm[] | undefined): FieldError[] {
  const out: FieldError[] = []
  // Upstream compares with one empty term for each of the list, too.
  const seen = (terms ?? []).map(() => "null")
  for (const [i, { matchLabelExpressions }] of (terms ?? []).entries()) {
    const at = `${path}[${i}].matchLabelExpressions`
    const byKey = new Map<string, string[]>()
    for (const [j, { key, values }] of (matchLabelExpressions ?? []).entries()) {
      const here = `${at}[${j}]`
      if (!values?.length) out.push(field.required(`${here}.values`, ""))
      const again = repeated(values ?? [])
      for (const [k, value] of (values ?? []).entries())
        if (again.has(k)) out.push(field.duplicate(`${here}.values[${k}]`, value))
      out.push(...validateLabelName(key, `${here}.key`))
      if (byKey.has(key)) out.push(field.duplicate(`${here}.key`, key))
      byKey.set(key, [...new Set(values)].sort())
    }
    const whole = byKey.size === 0 ? "null" : JSON.stringify([...byKey].sort())
    for (const other of seen) if (other === whole) out.push(field.duplicate(at, ""))
    seen.push(whole)
  }
  return out
}
