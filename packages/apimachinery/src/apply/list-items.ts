/** Which step leads to an item of an associative list. Mirrors: structured-merge-diff typed/helpers.go */
import { goQuote } from "../go-format.ts"
import { isObject } from "../patch/json-value.ts"
import { keyElement, valueElement } from "./path-element.ts"
import type { Shape } from "./shape.ts"

/** The step to `item` of a list with keys or of a set. Throws an Error for an item that cannot be in such a list. */
export function itemElement(shape: Shape, item: unknown): string {
  if (!shape.keys) {
    if (isObject(item)) throw new Error("associative list without keys has an element that's a map type")
    if (Array.isArray(item)) throw new Error("not supported: associative list with lists as elements")
    if (item === null || item === undefined)
      throw new Error("associative list without keys has an element that's an explicit null")
    return valueElement(item)
  }
  if (item === null || item === undefined)
    throw new Error("associative list with keys may not have a null element")
  if (!isObject(item)) throw new Error("associative list with keys may not have non-map elements")
  if (shape.keys.length === 1) {
    const { name } = shape.keys[0]!
    const value = item[name]
    if (typeof value === "string") return `k:{${JSON.stringify(name)}:${JSON.stringify(value)}}`
  }
  const keys: [string, unknown][] = []
  for (const key of shape.keys) {
    const value = item[key.name] ?? key.default
    if (value === undefined) {
      throw new Error(
        `associative list with keys has an element that omits key field ${goQuote(key.name)} ` +
          "(and doesn't have default value)",
      )
    }
    keys.push([key.name, value])
  }
  return keyElement(keys)
}

/** {@link itemElement}, or undefined instead of an error. */
export function itemElementIfAny(shape: Shape, item: unknown): string | undefined {
  try {
    return itemElement(shape, item)
  } catch {
    return undefined
  }
}
