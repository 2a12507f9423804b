/**
 * Functions on lists.
 * Mirrors: cel-go ext/lists.go (version 3); apiserver pkg/cel/library/lists.go (version 1)
 */
import { add, compare, isComparable } from "../run/arithmetic.ts"
import { shown } from "../run/format.ts"
import type { Implementation } from "../run/functions.ts"
import {
  ArrayList,
  CelError,
  CelList,
  Double,
  Duration,
  Uint,
  equal,
  maybeNoSuchOverload,
  noSuchOverload,
  typeOfValue,
  type Value,
} from "../run/values.ts"

/** No list is made longer at one go, whatever the limit of cost. */
const maxRange = 1_000_000

function itemsOf(list: CelList): Value[] {
  return Array.from({ length: list.size }, (_, i) => list.get(i))
}

/** A function on a list. */
const onList =
  (run: (list: CelList, ...args: Value[]) => Value): Implementation =>
  (list, ...args) =>
    list instanceof CelList ? run(list, ...args) : maybeNoSuchOverload(list!)

const isSorted = onList((list) => {
  let before: Value | undefined
  for (const item of itemsOf(list)) {
    if (!isComparable(item)) return maybeNoSuchOverload(item)
    if (before !== undefined && compare(before, item) === 1) return false
    before = item
  }
  return true
})

const zeros: Readonly<Record<string, Value>> = {
  int: 0,
  uint: new Uint(0n),
  double: new Double(0),
  duration: new Duration(0n),
}

const sum = (zero: Value): Implementation =>
  onList((list) => {
    let total = zero
    for (const item of itemsOf(list)) {
      total = add(total, item)
      if (total instanceof CelError) return total
    }
    return total
  })

const extreme = (name: "min" | "max", worse: number): Implementation =>
  onList((list) => {
    let best: Value | undefined
    for (const item of itemsOf(list)) {
      if (!isComparable(item)) return maybeNoSuchOverload(item)
      if (best === undefined || compare(best, item) === worse) best = item
    }
    return best === undefined ? new CelError(`${name} called on empty list`) : best
  })

const indexOf = onList((list, item) => {
  for (let i = 0; i < list.size; i++) if (equal(list.get(i), item!) === true) return i
  return -1
})

const lastIndexOf = onList((list, item) => {
  for (let i = list.size - 1; i >= 0; i--) if (equal(list.get(i), item!) === true) return i
  return -1
})

const includes: Implementation = (target, item) => {
  if (!(target instanceof CelList)) return equal(target!, item!) === true
  for (let i = 0; i < target.size; i++) if (equal(target.get(i), item!) === true) return true
  return false
}

const range: Implementation = (size) => {
  if (Number(size) < 0) return new CelError(`lists.range: size must be non-negative, got ${shown(size!)}`)
  if (Number(size) > maxRange)
    return new CelError(`lists.range: size ${shown(size!)} exceeds maximum allowed (${maxRange})`)
  return new ArrayList(Array.from({ length: Number(size) }, (_, i) => i))
}

const slice = onList((list, start, end) => {
  const [from, to] = [Number(start), Number(end)]
  const wrong = (why: string): CelError =>
    new CelError(`cannot slice(${shown(start!)}, ${shown(end!)}), ${why}`)
  if (from < 0 || to < 0) return wrong("negative indexes not supported")
  if (from > to) return wrong("start index must be less than or equal to end index")
  if (list.size < to) return wrong(`list is length ${list.size}`)
  return new ArrayList(itemsOf(list).slice(from, to))
})

function flattened(list: CelList, depth: number, out: Value[]): Value[] {
  for (const item of itemsOf(list)) {
    if (item instanceof CelList && depth > 0) flattened(item, depth - 1, out)
    else out.push(item)
  }
  return out
}

const flatten = onList((list, depth = 1) =>
  Number(depth) < 0
    ? new CelError("level must be non-negative")
    : new ArrayList(flattened(list, Number(depth), [])),
)

/** The list's items in the order of their keys. */
function sorted(list: CelList, keys: CelList): Value {
  if (list.size !== keys.size) {
    return new CelError(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.size} and ${keys.size} elements respectively`,
    )
  }
  if (list.size === 0) return list
  const all = itemsOf(keys)
  if (!isComparable(all[0]!)) return new CelError("list elements must be comparable")
  const type = typeOfValue(all[0]!)
  if (list.size > 1 && all.some((key) => typeOfValue(key).name !== type.name))
    return new CelError("list elements must have the same type")
  const order = all.map((_, i) => i).toSorted((a, b) => Number(compare(all[a]!, all[b]!)) || 0)
  return new ArrayList(order.map((i) => list.get(i)))
}

const distinct = onList((list) => {
  if (list.size === 0) return list
  const seen = new Set<Value>()
  const unique: Value[] = []
  for (const item of itemsOf(list)) {
    const scalar = item === null || typeof item !== "object"
    const known =
      scalar && typeof item !== "number"
        ? seen.has(item)
        : unique.some((other) => equal(item, other) === true)
    if (known) continue
    seen.add(item)
    unique.push(item)
  }
  return new ArrayList(unique)
})

const comparable = ["int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes"]
const sortable = [
  "int",
  "uint",
  "double",
  "bool",
  "google.protobuf.Duration",
  "google.protobuf.Timestamp",
  "string",
  "bytes",
]

/** By overload. */
export const listOverloads: readonly (readonly [string, Implementation])[] = [
  ...comparable.flatMap((name): [string, Implementation][] => [
    [`list_${name}_is_sorted_bool`, isSorted],
    [`list_${name}_min_${name}`, extreme("min", 1)],
    [`list_${name}_max_${name}`, extreme("max", -1)],
  ]),
  ...Object.entries(zeros).map(([name, zero]): [string, Implementation] => [
    `list_${name}_sum_${name}`,
    sum(zero),
  ]),
  ["list_a_index_of_int", indexOf],
  ["list_a_last_index_of_int", lastIndexOf],
  ["list_includes_dyn_dyn", includes],
  ["lists_range", range],
  ["list_slice", slice],
  ["list_flatten", flatten],
  ["list_flatten_int", flatten],
  ["list_reverse", onList((list) => new ArrayList(itemsOf(list).reverse()))],
  ["list_distinct", distinct],
  ...sortable.flatMap((name): [string, Implementation][] => [
    [`list_${name}_sort`, onList((list) => sorted(list, list))],
    [
      `list_${name}_sortByAssociatedKeys`,
      (list, keys) =>
        list instanceof CelList && keys instanceof CelList ? sorted(list, keys) : noSuchOverload,
    ],
  ]),
]
