/** Validation problems, worded as Kubernetes words them. Mirrors: apimachinery pkg/util/validation/field/errors.go */
import { aggregate, goJson, goQuote } from "./go-format.ts"

export type FieldErrorType =
  | "FieldValueNotFound"
  | "FieldValueRequired"
  | "FieldValueDuplicate"
  | "FieldValueInvalid"
  | "FieldValueNotSupported"
  | "FieldValueForbidden"
  | "FieldValueTooLong"
  | "FieldValueTooShort"
  | "FieldValueTooMany"
  | "FieldValueTooFew"
  | "InternalError"
  | "FieldValueTypeInvalid"

/** One problem. `field` is a path such as `spec.containers[0].name`. */
export interface FieldError {
  readonly type: FieldErrorType
  readonly field: string
  readonly value?: unknown
  readonly detail: string
}

/** As the value of an error whose message shows no value. */
export const omitValue: unique symbol = Symbol("omitValue")

const typeText: Readonly<Record<FieldErrorType, string>> = {
  FieldValueNotFound: "Not found",
  FieldValueRequired: "Required value",
  FieldValueDuplicate: "Duplicate value",
  FieldValueInvalid: "Invalid value",
  FieldValueNotSupported: "Unsupported value",
  FieldValueForbidden: "Forbidden",
  FieldValueTooLong: "Too long",
  FieldValueTooShort: "Too short",
  FieldValueTooMany: "Too many",
  FieldValueTooFew: "Too few",
  InternalError: "Internal error",
  FieldValueTypeInvalid: "Invalid value",
}

const withoutValue = new Set<FieldErrorType>([
  "FieldValueRequired",
  "FieldValueForbidden",
  "FieldValueTooLong",
  "FieldValueTooShort",
  "InternalError",
])

/** The path of a field below `path`: `child("spec", "template", "spec")` is `spec.template.spec`. */
export function child(path: string, ...names: string[]): string {
  const tail = names.join(".")
  return path === "" ? tail : `${path}.${tail}`
}

/** The path of a list item: `index("spec.ports", 0)` is `spec.ports[0]`. */
export function index(path: string, at: number): string {
  return `${path}[${at}]`
}

/** The path of a map entry: `key("data", "a")` is `data[a]`. */
export function key(path: string, name: string): string {
  return `${path}[${name}]`
}

/** A value is missing. */
export function required(path: string, detail: string): FieldError {
  return { type: "FieldValueRequired", field: path, value: "", detail }
}

/** A value is malformed or out of bounds. */
export function invalid(path: string, value: unknown, detail: string): FieldError {
  return { type: "FieldValueInvalid", field: path, value, detail }
}

/** A value has the wrong type. */
export function typeInvalid(path: string, value: unknown, detail: string): FieldError {
  return { type: "FieldValueTypeInvalid", field: path, value, detail }
}

/** A value is none of an enumeration; the message lists `valid` in the order given. */
export function notSupported(path: string, value: unknown, valid: readonly string[]): FieldError {
  const detail = valid.length > 0 ? "supported values: " + valid.map(goQuote).join(", ") : ""
  return { type: "FieldValueNotSupported", field: path, value, detail }
}

/** A value is not allowed here and now. */
export function forbidden(path: string, detail: string): FieldError {
  return { type: "FieldValueForbidden", field: path, value: "", detail }
}

/** A value that must be unique is not. */
export function duplicate(path: string, value: unknown): FieldError {
  return { type: "FieldValueDuplicate", field: path, value, detail: "" }
}

/** A value refers to what does not exist. */
export function notFound(path: string, value: unknown): FieldError {
  return { type: "FieldValueNotFound", field: path, value, detail: "" }
}

/** A value has more than `max` bytes (the message does not show it). */
export function tooLong(path: string, _value: unknown, max: number): FieldError {
  const detail = max < 0 ? "value is too long" : `may not be more than ${max} ${max === 1 ? "byte" : "bytes"}`
  return { type: "FieldValueTooLong", field: path, value: "<value omitted>", detail }
}

/** A value has more than `max` characters (the message does not show it). */
export function tooLongCharacters(path: string, _value: unknown, max: number): FieldError {
  const unit = max === 1 ? "character" : "characters"
  const detail = max < 0 ? "value is too long" : `may not be more than ${max} ${unit}`
  return { type: "FieldValueTooLong", field: path, value: "<value omitted>", detail }
}

/** A value has fewer than `min` characters. */
export function tooShort(path: string, value: unknown, min: number): FieldError {
  const unit = min === 1 ? "character" : "characters"
  const detail = min < 0 ? "value is too short" : `must be at least ${min} ${unit}`
  return { type: "FieldValueTooShort", field: path, value, detail }
}

/** A list has more than `max` items; a negative `actual` is not shown. */
export function tooMany(path: string, actual: number, max: number): FieldError {
  const detail = max < 0 ? "has too many items" : `must have at most ${max} ${max === 1 ? "item" : "items"}`
  return { type: "FieldValueTooMany", field: path, value: actual >= 0 ? actual : omitValue, detail }
}

/** A list has fewer than `min` items; a negative `actual` is not shown. */
export function tooFew(path: string, actual: number, min: number): FieldError {
  const detail = min < 0 ? "has too few items" : `must have at least ${min} ${min === 1 ? "item" : "items"}`
  return { type: "FieldValueTooFew", field: path, value: actual >= 0 ? actual : omitValue, detail }
}

/** Something other than the user's input went wrong. */
export function internalError(path: string, error: Error): FieldError {
  return { type: "InternalError", field: path, value: error, detail: error.message }
}

/** The problem without its path, as in `details.causes[].message`: `Invalid value: -1: must be …`. */
export function fieldErrorBody(error: FieldError): string {
  let text = typeText[error.type]
  if (!withoutValue.has(error.type) && error.value !== omitValue) text += `: ${valueText(error.value)}`
  return error.detail === "" ? text : `${text}: ${error.detail}`
}

/** The whole problem: `spec.replicas: Invalid value: -1: must be …`. */
export function fieldErrorMessage(error: FieldError): string {
  return `${error.field}: ${fieldErrorBody(error)}`
}

/** Each problem once, where it comes first. */
export function distinctErrors(errors: readonly FieldError[]): FieldError[] {
  const distinct = new Map<string, FieldError>()
  for (const error of errors) {
    const message = fieldErrorMessage(error)
    if (!distinct.has(message)) distinct.set(message, error)
  }
  return [...distinct.values()]
}

/** Several problems as one text: each message once, `[a, b]` when there is more than one; "" for none. */
export function aggregateMessage(errors: readonly FieldError[]): string {
  return aggregate(errors.map(fieldErrorMessage))
}

function valueText(value: unknown): string {
  return typeof value === "string" ? goQuote(value) : goJson(value)
}
