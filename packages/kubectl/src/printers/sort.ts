/** `--sort-by`. Mirrors: kubectl pkg/cmd/get/sorter.go */
import { compareBytes, parseJSONPath, parseQuantity, relaxedJSONPath } from "@knarr/apimachinery"
import type { Obj } from "../object.ts"

/** The order of the objects by a JSONPath field, as indexes. Throws with upstream's messages. */
export function sortObjects(objects: readonly Obj[], expression: string): number[] {
  const path = parseJSONPath(relaxedJSONPath(expression), { allowMissingKeys: true })
  const values = objects.map((obj) => path.findResults(obj).flat()[0])
  if (objects.length > 0 && values.every((value) => value === undefined)) {
    throw new Error(
      `couldn't find any field with path ${JSON.stringify(relaxedJSONPath(expression))} in the list of objects`,
    )
  }
  const order = objects.map((_, i) => i)
  return order.sort((a, b) => compareValues(values[a], values[b]) || a - b)
}

function compareValues(a: unknown, b: unknown): number {
  if (a === undefined || a === null) return b === undefined || b === null ? 0 : -1
  if (b === undefined || b === null) return 1
  if (typeof a === "number" && typeof b === "number") return a - b
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b)
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b)
  throw new Error(`unsortable type: ${typeof a}`)
}

function compareTexts(a: string, b: string): number {
  try {
    return parseQuantity(a).compare(parseQuantity(b))
  } catch {
    return naturalOrder(a, b)
  }
}

/** Numbers in texts are compared as numbers. */
function naturalOrder(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? []
  const right = b.match(/\d+|\D+/g) ?? []
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const x = left[i]!
    const y = right[i]!
    const numeric = /^\d/.test(x) && /^\d/.test(y)
    const order = numeric ? Number(x) - Number(y) : compareBytes(x, y)
    if (order !== 0) return order
  }
  return left.length - right.length
}
