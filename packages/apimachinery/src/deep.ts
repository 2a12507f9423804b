/** Copies, comparison and freezing of JSON values. */

/** Maps that hold nothing: no value tells them from structs of which nothing is set. */
const emptyMaps = new WeakSet<object>()

/** Says that an object, which holds nothing, is a map: to {@link semanticEqual} it is the same as none, and so are its copies. */
export function markEmptyMap(value: object): void {
  emptyMaps.add(value)
}

/** A copy of a JSON value that shares nothing with it; frozen input gives a mutable copy. */
export function deepClone<T>(value: T): T {
  return clone(value) as T
}

function clone(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) {
    const length = value.length
    const out: unknown[] = []
    for (let i = 0; i < length; i++) {
      const item: unknown = value[i]
      out.push(typeof item === "object" ? clone(item) : item)
    }
    return out
  }
  const source = value as Record<string, unknown>
  const out: Record<string, unknown> = {}
  let holdsNothing = true
  for (const key in source) {
    holdsNothing = false
    const item = source[key]
    if (key === "__proto__") setOwn(out, key, clone(item))
    else out[key] = typeof item === "object" ? clone(item) : item
  }
  if (holdsNothing && emptyMaps.has(source)) emptyMaps.add(out)
  return out
}

/** Sets a field that may be called `__proto__`. */
export function setOwn(target: object, key: string, value: unknown): void {
  if (key !== "__proto__") (target as Record<string, unknown>)[key] = value
  // Costs many times as much.
  else Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
}

/** Whether two JSON values are equal; the order of fields does not matter, and an undefined field is an absent one. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return a !== a && b !== b
  }
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!deepEqual(a[i], b[i])) return false
    return true
  }
  if (Array.isArray(b)) return false
  const x = a as Record<string, unknown>
  const y = b as Record<string, unknown>
  let count = 0
  for (const key in x) {
    const value = x[key]
    if (value === undefined) continue
    count++
    if (!Object.hasOwn(y, key) || !deepEqual(value, y[key])) return false
  }
  for (const key in y) if (y[key] !== undefined) count--
  return count === 0
}

/**
 * As {@link deepEqual}, but null, the empty list and a map that decoding found empty equal an absent value. Another empty
 * object does not (`emptyDir: {}` says something). Mirrors: equality.Semantic.DeepEqual
 */
export function semanticEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (isEmpty(a)) return isEmpty(b)
  if (isEmpty(b)) return false
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => semanticEqual(item, b[i]))
  }
  if (Array.isArray(b)) return false
  const x = a as Record<string, unknown>
  const y = b as Record<string, unknown>
  for (const key in x) if (!semanticEqual(x[key], Object.hasOwn(y, key) ? y[key] : undefined)) return false
  for (const key in y) if (!Object.hasOwn(x, key) && !isEmpty(y[key])) return false
  return true
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true
  if (Array.isArray(value)) return value.length === 0
  return typeof value === "object" && emptyMaps.has(value) && Object.keys(value).length === 0
}

/** Freezes a JSON value and all that is in it; returns it. Stops at what is frozen already. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  if (Array.isArray(value)) for (const item of value) deepFreeze(item)
  else for (const key in value) deepFreeze((value as Record<string, unknown>)[key])
  return value
}
