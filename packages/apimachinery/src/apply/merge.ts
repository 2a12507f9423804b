/** Merging an applied configuration into an object. Mirrors: structured-merge-diff typed/merge.go */
import { isEmptyObject, isObject, setField, type JsonObject } from "../patch/json-value.ts"
import type { Schema } from "../schema.ts"
import { itemElementIfAny } from "./list-items.ts"
import { deducedShape, shapeOf, type Shape } from "./shape.ts"

/**
 * `base` with `applied` merged in: granular maps by field, associative lists by item in upstream's order, all else
 * replaced. Neither is changed; what does not change is shared.
 */
export function merge(schema: Schema, base: unknown, applied: unknown): unknown {
  return mergeValue(shapeOf(schema), base, applied)
}

function mergeValue(shape: Shape, left: unknown, right: unknown): unknown {
  if (right === undefined) return left
  if (shape.atomic) return right
  const asMap = shape.kind === "map" || (shape.kind === "deduced" && isObject(right))
  if (asMap || (shape.kind === "deduced" && right === null && isObject(left))) {
    const old = isObject(left) ? left : undefined
    const now = isObject(right) ? right : undefined
    if ((!old || isEmptyObject(old)) && (!now || isEmptyObject(now))) return right
    return mergeMap(shape, old ?? {}, now ?? {})
  }
  if (shape.kind !== "list") return right
  const old = Array.isArray(left) ? left : []
  const now = Array.isArray(right) ? right : []
  return old.length === 0 && now.length === 0 ? right : mergeItems(shape, old, now)
}

function mergeMap(shape: Shape, left: JsonObject, right: JsonObject): JsonObject {
  const out = { ...left }
  for (const key of Object.keys(right)) {
    const field = shape.fields.get(key)
    const old = Object.hasOwn(left, key) ? left[key] : undefined
    setField(out, key, mergeValue(field ? field.shape : (shape.values ?? deducedShape), old, right[key]))
  }
  return out
}

/** Items of both lists follow the applied order; items of the base keep their places between them. */
function mergeItems(shape: Shape, left: readonly unknown[], right: readonly unknown[]): unknown[] {
  const leftElements = left.map((item) => itemElementIfAny(shape, item) ?? "")
  const rightElements = right.map((item) => itemElementIfAny(shape, item) ?? "")
  // An item that is there twice cannot be merged with: the applied one replaces all of them.
  const leftItems = new Map<string, unknown>()
  leftElements.forEach((element, i) => leftItems.set(element, leftItems.has(element) ? undefined : left[i]))
  const rightItems = new Map(rightElements.map((element, i) => [element, right[i]]))
  const shared = rightElements.filter((element) => leftItems.has(element))
  let nextShared = 0
  const out: unknown[] = []
  const merged = new Set<string>()
  const take = (element: string): void => {
    merged.add(element)
    out.push(mergeValue(shape.items!, leftItems.get(element), rightItems.get(element)))
  }
  let i = 0
  let j = 0
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length) {
      const element = leftElements[i]!
      if (element === rightElements[j]) {
        take(element)
        i++
        j++
        nextShared++
        continue
      }
      if (rightItems.has(element) && nextShared < shared.length && shared[nextShared] !== element) {
        i++
        continue
      }
    }
    if (i < left.length) {
      const element = leftElements[i]!
      if (!rightItems.has(element)) {
        out.push(left[i++])
        continue
      }
      if (merged.has(element)) i++
    }
    if (j < right.length) {
      const element = rightElements[j++]!
      take(element)
      if (shared[nextShared] === element) nextShared++
    }
  }
  return out
}
