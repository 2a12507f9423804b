/** Reading and writing along simple paths: `.spec.replicas`. Mirrors: apimachinery pkg/apis/meta/v1/unstructured/helpers.go */

type Loose = Record<string, unknown>

/** `.spec.replicas` as its names. */
function namesOf(path: string): string[] {
  return path.replace(/^\./, "").split(".")
}

/** How Go calls the type of a decoded value. */
function goType(value: unknown): string {
  switch (typeof value) {
    case "boolean":
      return "bool"
    case "string":
      return "string"
    case "number":
      return Number.isInteger(value) ? "int64" : "float64"
    default:
      return value === null ? "<nil>" : Array.isArray(value) ? "[]interface {}" : "map[string]interface {}"
  }
}

function goValue(value: unknown): string {
  if (value === null) return "<nil>"
  if (Array.isArray(value)) return `[${value.map(goValue).join(" ")}]`
  if (typeof value !== "object") return String(value as string)
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `map[${fields.map(([name, inner]) => `${name}:${goValue(inner)}`).join(" ")}]`
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
        `.${at} accessor error: ${goValue(value)} is of the type ${goType(value)}, expected map[string]interface{}`,
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
  if (goType(value) !== type)
    throw new Error(
      `.${namesOf(path).join(".")} accessor error: ${goValue(value)} is of the type ${goType(value)}, expected ${type}`,
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
    if (inner === undefined)
      Object.defineProperty(at, name, { value: next, enumerable: true, configurable: true, writable: true })
    at = next
  }
  Object.defineProperty(at, names.at(-1)!, { value, enumerable: true, configurable: true, writable: true })
}
