/**
 * Lists in strategic merge patches: finding items by their merge key, and the order of a merged list.
 * Mirrors: apimachinery pkg/util/strategicpatch/patch.go (the list half)
 */
import { compareBytes } from "../go-format.ts"
import { goTypeOf, goValue } from "../go-format.ts"
import { isObject, jsonEqual, type JsonObject } from "./json-value.ts"
import { PatchError } from "./patch-error.ts"
import { directiveKey, elementOrderPrefix } from "./strategic-meta.ts"

export type ItemKind = "map" | "list" | "scalar"

export function noMergeKey(item: JsonObject, mergeKey: string): PatchError {
  return new PatchError("internal", `map: ${goValue(item)} does not contain declared merge key: ${mergeKey}`)
}

/** What all items of the lists are. Throws {@link PatchError} when they differ, or are lists. */
export function itemKind(...lists: readonly (readonly unknown[])[]): ItemKind {
  let first: string | undefined
  for (const list of lists) {
    for (const item of list) {
      const type = goTypeOf(item)
      if (type === "<nil>") throw new PatchError("internal", `unsupported element type "<nil>"`)
      if (first === undefined) first = type
      else if (first !== type)
        throw new PatchError("internal", `list element types are not identical: ${goValue(lists)}`)
    }
  }
  if (first === undefined) throw new PatchError("internal", "no elements in any given slices")
  if (first === "[]interface {}") throw new PatchError("unprocessable", "lists of lists are not supported")
  return first === "map[string]interface {}" ? "map" : "scalar"
}

/** The item as an object that has the merge key. */
export function keyed(item: unknown, mergeKey: string): JsonObject {
  if (!isObject(item))
    throw new PatchError("internal", `expected a map[string]interface {}, but received a ${goTypeOf(item)}`)
  if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey)
  return item
}

/**
 * Where a list has its items, found in one step: objects by the value of their merge key, scalars by themselves. Of equal
 * items the first counts, and objects without the key are nowhere.
 */
export class Positions {
  readonly #at = new Map<unknown, number>()
  readonly #keyOf: (item: unknown) => unknown

  constructor(list: readonly unknown[], mergeKey: string, kind: ItemKind = "map") {
    this.#keyOf =
      kind !== "map"
        ? (item) => item
        : (item) => (isObject(item) && Object.hasOwn(item, mergeKey) ? identity(item[mergeKey]) : undefined)
    for (let i = 0; i < list.length; i++) this.add(list[i], i)
  }

  /** The item's equal stands there; -1 when there is none. */
  of(item: unknown): number {
    return this.#at.get(this.#keyOf(item)) ?? -1
  }

  add(item: unknown, at: number): void {
    const key = this.#keyOf(item)
    if (key !== undefined && !this.#at.has(key)) this.#at.set(key, at)
  }

  delete(item: unknown): void {
    this.#at.delete(this.#keyOf(item))
  }
}

/** What is the same for values that {@link jsonEqual} calls equal, and for no others. */
export function identity(value: unknown): unknown {
  if (typeof value === "string") return `"${value}`
  return typeof value === "object" && value !== null ? canonicalText(value) : value
}

function canonicalText(value: object): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => compareBytes(a, b)))
      : inner,
  )
}

/** The list's items that are not `$patch: delete`, and those that are. */
function splitDeletions(list: readonly unknown[]): { kept: JsonObject[]; deletions: JsonObject[] } {
  const kept: JsonObject[] = []
  const deletions: JsonObject[] = []
  for (const item of list) {
    if (!isObject(item))
      throw new PatchError("internal", `expected a map[string]interface {}, but received a ${goTypeOf(item)}`)
    if (item[directiveKey] === "delete") deletions.push(item)
    else kept.push(item)
  }
  return { kept, deletions }
}

/** Sorts as `order` has the items; what it does not name keeps its place before what follows; deletions come last. */
export function sortLike(
  list: readonly unknown[],
  order: readonly unknown[],
  mergeKey: string,
  kind: ItemKind,
): unknown[] {
  let items = list.slice()
  let deletions: unknown[] = []
  if (kind === "map") {
    for (const item of list) keyed(item, mergeKey)
    for (const item of order) keyed(item, mergeKey)
    const split = splitDeletions(list)
    items = split.kept
    deletions = split.deletions
  }
  const positions = new Positions(order, mergeKey, kind)
  const ranks = new Map(items.map((item) => [item, positions.of(item)]))
  const ranked = items.filter((item) => ranks.get(item)! >= 0)
  if (ranked.length === items.length) items.sort((a, b) => ranks.get(a)! - ranks.get(b)!)
  return [...items, ...deletions]
}

/** The order of a merged list: items of the patch as the patch has them, the others as they were, interleaved as they were. */
export function orderMerged(
  merged: readonly unknown[],
  patchOrder: readonly unknown[],
  oldOrder: readonly unknown[],
  mergeKey: string,
  kind: ItemKind,
): unknown[] {
  const patched: unknown[] = []
  const others: unknown[] = []
  const inPatch = new Positions(patchOrder, mergeKey, mergeKey === "" ? "scalar" : "map")
  for (const item of merged) {
    if (mergeKey !== "") keyed(item, mergeKey)
    ;(inPatch.of(item) >= 0 ? patched : others).push(item)
  }
  const left = sortLike(others, oldOrder, mergeKey, kind)
  const right = sortLike(patched, patchOrder, mergeKey, kind)
  const before = new Positions(oldOrder, mergeKey, kind)
  const out: unknown[] = []
  let i = 0
  let j = 0
  while (i < left.length || j < right.length) {
    if (i >= left.length) out.push(right[j++])
    else if (j >= right.length) out.push(left[i++])
    else {
      const l = before.of(left[i])
      const r = before.of(right[j])
      out.push(l >= 0 && r >= 0 && l < r ? left[i++] : right[j++])
    }
  }
  return out
}

/** Throws when the patch's items are not in the order that `$setElementOrder` states. */
export function checkOrder(list: readonly unknown[], order: readonly unknown[], mergeKey: string): void {
  if (list.length === 0 || order.length === 0) return
  const items: readonly unknown[] = mergeKey === "" ? list : splitDeletions(list).kept
  let i = 0
  for (const named of order) {
    if (i >= items.length) return
    const same =
      mergeKey === ""
        ? jsonEqual(items[i], named)
        : jsonEqual(keyed(items[i], mergeKey)[mergeKey], keyed(named, mergeKey)[mergeKey])
    if (same) i++
  }
  if (i < items.length) {
    throw new PatchError(
      "internal",
      `The order in patch list:\n${goValue(list)}\n doesn't match ${elementOrderPrefix} list:\n${goValue(order)}\n`,
    )
  }
}

/** Compares scalars as Go's printed text. */
export function compareScalars(a: unknown, b: unknown): number {
  return compareBytes(goValue(a), goValue(b))
}
