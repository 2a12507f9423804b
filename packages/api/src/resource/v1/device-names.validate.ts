/** Names of drivers, pools, devices and what they have. Mirrors: pkg/apis/resource/validation/validation.go, apimachinery pkg/api/validate/strfmt.go */
import {
  byteLength,
  field,
  isCIdentifier,
  isDNS1123Subdomain,
  isDNS1123SubdomainCaseless,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { declaredReasons, reasons } from "../../checks.ts"
import { validateDriverName } from "../../core/v1/volume-source.validate.ts"

const maxDriverLength = 63
const maxIdentifierLength = 32
const maxPoolLength = 253

/** The name of a driver where the type declares what it is. */
export function declaredDriver(path: string, name: string | undefined): FieldError[] {
  if (!name) return [field.required(path, "")]
  const out = declaredReasons(path, name, isDNS1123SubdomainCaseless(name))
  if (name.length > maxDriverLength) out.push(field.tooLongCharacters(path, "", maxDriverLength))
  return out
}

/** One or more names of DNS, with slashes between them. */
export function validatePoolName(path: string, name: string | undefined): FieldError[] {
  if (!name) return [field.required(path, "")]
  const out: FieldError[] = []
  if (byteLength(name) > maxPoolLength) out.push(field.tooLong(path, "", maxPoolLength))
  for (const part of name.split("/")) out.push(...reasons(path, part, isDNS1123Subdomain(part)))
  return out
}

/** The same where the type declares what it is: then the segments are counted. */
export function declaredPool(path: string, name: string | undefined): FieldError[] {
  if (!name) return [field.required(path, "")]
  const out: FieldError[] = []
  if (byteLength(name) > maxPoolLength) out.push(field.tooLong(path, "", maxPoolLength))
  for (const [i, part] of name.split("/").entries())
    if (part === "") out.push(field.invalid(path, name, `segment ${i}: must not be empty`))
    else
      for (const reason of isDNS1123Subdomain(part))
        out.push(field.invalid(path, part, `segment ${i}: ${reason}`))
  return out
}

function validateIdentifier(path: string, id: string): FieldError[] {
  const out: FieldError[] = []
  if (byteLength(id) > maxIdentifierLength) out.push(field.tooLong(path, "", maxIdentifierLength))
  return [...out, ...reasons(path, id, isCIdentifier(id))]
}

/** `name` or `domain/name`, as attributes and capacities are called. */
export function validateQualifiedName(path: string, name: string): FieldError[] {
  const [first = "", second, ...rest] = name.split("/")
  if (second === undefined) return validateIdentifier(path, first)
  if (rest.length > 0) return []
  return [
    ...(first === ""
      ? [field.invalid(path, "", "the domain must not be empty")]
      : validateDriverName(path, first)),
    ...(second === ""
      ? [field.invalid(path, "", "the name must not be empty")]
      : validateIdentifier(path, second)),
  ]
}

/** `domain/name`, where the type declares it. */
export function declaredFullyQualifiedName(path: string, name: string): FieldError[] {
  const [first = "", second, ...rest] = name.split("/")
  const out: FieldError[] = []
  if (second === undefined) {
    out.push(...validateIdentifier(path, first))
    out.push(
      field.invalid(path, name, "a fully qualified name must be a domain and a name separated by a slash"),
    )
  } else if (rest.length === 0) {
    if (first === "") out.push(field.invalid(path, "", "prefix must not be empty"))
    else {
      if (byteLength(first) > maxDriverLength) out.push(field.tooLong(path, "", maxDriverLength))
      for (const reason of isDNS1123Subdomain(first))
        out.push(field.invalid(path, first, `prefix: ${reason}`))
    }
    out.push(
      ...(second === ""
        ? [field.invalid(path, "", "name must not be empty")]
        : validateIdentifier(path, second)),
    )
  }
  return out
}

/** A UUID in the one form. */
export function declaredUUID(path: string, uid: string | undefined): FieldError[] {
  if (uid === undefined || /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uid)) return []
  return [field.invalid(path, uid, "must be a lowercase UUID in 8-4-4-4-12 format")]
}
