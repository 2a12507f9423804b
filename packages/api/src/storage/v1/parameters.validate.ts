/** Drivers and their parameters, in the two kinds of classes. Mirrors: pkg/apis/storage/validation/validation.go */
import { byteLength, field, isQualifiedName } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { reasons } from "../../checks.ts"

const maxParameters = 512
/** Bytes of all names and values. */
const maxParametersSize = 256 * 1024

/** The name of a driver; that there is one is for the caller to check. */
export function validateProvisioner(path: string, name: string | undefined): FieldError[] {
  const lower = (name ?? "").toLowerCase()
  return lower ? reasons(path, lower, isQualifiedName(lower)) : []
}

export function validateParameters(
  path: string,
  parameters: Readonly<Record<string, string>> | undefined,
): FieldError[] {
  const entries = Object.entries(parameters ?? {})
  if (entries.length > maxParameters) return [field.tooLong(path, "", maxParameters)]
  const out: FieldError[] = []
  let size = 0
  for (const [name, value] of entries) {
    if (name === "") out.push(field.invalid(path, name, "field can not be empty."))
    size += byteLength(name) + byteLength(value)
  }
  if (size > maxParametersSize) out.push(field.tooLong(path, "", maxParametersSize))
  return out
}
