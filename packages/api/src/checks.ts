/** Small checks of fields that the rules of many kinds share. Mirrors: apimachinery pkg/api/validation */
import { semanticEqual, field, validateLabelName } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { goValue } from "./go-value.ts"

export const notNegativeMessage = "must be greater than or equal to 0"
export const positiveMessage = "must be greater than zero"
export const immutableMessage = "field is immutable"
export const maxInt32: number = 2 ** 31 - 1

/** The places of values that stand in the list before. */
export function repeated(values: readonly string[]): ReadonlySet<number> {
  const seen = new Set<string>()
  const again = new Set<number>()
  for (const [i, value] of values.entries())
    if (seen.has(value)) again.add(i)
    else seen.add(value)
  return again
}

/** An error for each reason why `value` is not acceptable. */
export function reasons(path: string, value: unknown, why: readonly string[]): FieldError[] {
  return why.map((detail) => field.invalid(path, value, detail))
}

/** As {@link reasons}, of what the type itself declares: its names are so many bytes, where others are characters. */
export function declaredReasons(path: string, value: unknown, why: readonly string[]): FieldError[] {
  return reasons(path, value, why.map(inBytes))
}

/** `must be no more than N bytes`, where the check says characters. */
export function inBytes(detail: string): string {
  return detail.replace(/^(must be no more than \d+) characters$/, "$1 bytes")
}

/** Whether nothing was given: absent, null or an empty text. */
function isUnset(value: unknown): value is undefined | null | "" {
  return value === undefined || value === null || value === ""
}

/** A number that may be absent and must not be below zero. */
export function notNegative(path: string, value: number | undefined): FieldError[] {
  return value !== undefined && value < 0 ? [field.invalid(path, value, notNegativeMessage)] : []
}

/** A number that must be above zero. */
export function positive(path: string, value: number | undefined): FieldError[] {
  return value !== undefined && value <= 0 ? [field.invalid(path, value, positiveMessage)] : []
}

/** A choice that must be made, out of `allowed`. */
export function oneOf(path: string, value: string | undefined, allowed: readonly string[]): FieldError[] {
  if (!value) return [field.required(path, "")]
  return allowed.includes(value) ? [] : [field.notSupported(path, value, allowed)]
}

/** A choice that has a default: where it is missing none was made, and the empty text is a wrong one. */
export function oneOfDefaulted(
  path: string,
  value: string | undefined,
  allowed: readonly string[],
): FieldError[] {
  return value === "" ? [field.notSupported(path, value, allowed)] : oneOf(path, value, allowed)
}

/** A choice out of `allowed` that may be left out. */
export function oneOfIfSet(
  path: string,
  value: string | undefined,
  allowed: readonly string[],
): FieldError[] {
  return value === undefined || allowed.includes(value) ? [] : [field.notSupported(path, value, allowed)]
}

/** What must not change. `type` is how Go calls what is shown. */
export function immutable(path: string, value: unknown, old: unknown, type?: string): FieldError[] {
  if (semanticEqual(value, old)) return []
  return [field.invalid(path, type === undefined ? value : goValue(type, value), immutableMessage)]
}

/** A text that must be there. */
export function required(path: string, value: unknown): FieldError[] {
  return isUnset(value) ? [field.required(path, "")] : []
}

/** A qualified name, such as the key of a label, that must be given. */
export function qualifiedName(path: string, value: string | undefined): FieldError[] {
  return validateLabelName(value ?? "", path)
}

/** A relative path that never climbs. */
export function descendingPath(path: string, value: string): FieldError[] {
  const out: FieldError[] = []
  if (value.startsWith("/")) out.push(field.invalid(path, value, "must be a relative path"))
  return [...out, ...noBacksteps(path, value)]
}

/** A path without `..` as one of its parts. */
export function noBacksteps(path: string, value: string): FieldError[] {
  return value.split("/").includes("..") ? [field.invalid(path, value, "must not contain '..'")] : []
}
