/** Reading and writing along simple paths: `.spec.replicas`. Mirrors: apimachinery pkg/apis/meta/v1/unstructured/helpers.go */
import { goTypeOf, goValue, setOwn } from "@knarr/apimachinery"

type Loose = Record<string, unknown>

/** `.spec.replicas` as its names. */
export function namesOf(path: string): string[] {
  return path.replace(/^\./, "").split(".")
}

/** The value at a path; undefined when there is none. Throws an Error in upstream's words when something is in the way. */
function readNested(obj: object, path: string): unknown {
  const names = namesOf(path)
  let value: unknown = obj
  for (const [i, name] of names.entries()) {
    if (value === null || value === undefined) return undefined
    if (typeof value !== "object" || Array.isArray(value)) {
      const at = names.slice(0, i + 1).join(".")
      throw new Error(
        `.${at} accessor error: ${goValue(value)} is of the type ${goTypeOf(value)}, expected map[string]interface{}`,
      )
    }
    if (!Object.hasOwn(value, name)) return undefined
    value = (value as Loose)[name]
  }
  return value
}

/** Reads a value of one type; undefined when there is none. Throws an Error in upstream's words for another type. */
export function readTyped<T extends "int64" | "string">(
  obj: object,
  path: string,
  type: T,
): (T extends "int64" ? number : string) | undefined {
  const value = readNested(obj, path)
  if (value === undefined) return undefined
  if (goTypeOf(value) !== type)
    throw new Error(
      `.${namesOf(path).join(".")} accessor error: ${goValue(value)} is of the type ${goTypeOf(value)}, expected ${type}`,
    )
  return value as T extends "int64" ? number : string
}

/** Sets a value, with the objects on the way to it. Throws an Error in upstream's words when something is in the way. */
export function setNested(obj: object, path: string, value: unknown): void {
  const names = namesOf(path)
  let at = obj as Loose
  for (const [i, name] of names.slice(0, -1).entries()) {
    const inner = Object.hasOwn(at, name) ? at[name] : undefined
    if (inner !== undefined && (typeof inner !== "object" || inner === null || Array.isArray(inner)))
      throw new Error(
        `value cannot be set because .${names.slice(0, i + 1).join(".")} is not a map[string]interface{}`,
      )
    const next = (inner ?? {}) as Loose
    if (inner === undefined) setOwn(at, name, next)
    at = next
  }
  setOwn(at, names.at(-1)!, value)
}
