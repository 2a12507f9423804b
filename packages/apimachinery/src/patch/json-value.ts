/** Plain JSON values: type tests, equality, copies. */

export type JsonObject = Record<string, unknown>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** Whether the object has no field of its own. */
export function isEmptyObject(value: object): boolean {
  for (const _ in value) return false
  return true
}

/** Whether two JSON values are the same; fields that are `undefined` count as absent. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!jsonEqual(a[i], b[i])) return false
    return true
  }
  if (Array.isArray(b)) return false
  let count = 0
  for (const key in a) {
    const value = (a as JsonObject)[key]
    if (value === undefined) continue
    count++
    const other = (b as JsonObject)[key]
    if (other === undefined || !jsonEqual(value, other)) return false
  }
  for (const key in b) if ((b as JsonObject)[key] !== undefined) count--
  return count === 0
}

/** A deep copy. */
export function jsonClone<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(jsonClone) as T
  const out: JsonObject = {}
  for (const key in value) setField(out, key, jsonClone(value[key]))
  return out as T
}

/** `object[key] = value`, also for the one name that would set the prototype. */
export function setField(object: JsonObject, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  } else object[key] = value
}
