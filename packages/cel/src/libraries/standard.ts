/**
 * The functions and operators of the language itself, and of sets and optionals.
 * Mirrors: cel-go common/stdlib/standard.go, cel/library.go (optionals), ext/sets.go, ext/comprehensions.go
 */
import { goRegexp } from "@knarr/apimachinery"
import { declarations } from "../check/declarations.gen.ts"
import { namedTypes } from "../check/types.ts"
import { sizeOf } from "../cost/actual.ts"
import { add, compare, contains, divide, modulo, multiply, negate, subtract } from "../run/arithmetic.ts"
import { convert } from "../run/convert.ts"
import { GrowingMap } from "../run/fold.ts"
import { shown } from "../run/format.ts"
import type { Implementation } from "../run/functions.ts"
import { timePart } from "../run/time.ts"
import {
  ArrayList,
  CelError,
  CelList,
  CelMap,
  EntriesMap,
  ObjectValue,
  Optional,
  isZero,
  mapKey,
  maybeNoSuchOverload,
  noSuchOverload,
  none,
  type Value,
} from "../run/values.ts"
import { operators } from "../syntax/ast.ts"

type Entry = readonly [name: string, run: Implementation]

const ordered =
  (holds: (order: number) => boolean): Implementation =>
  (a, b) => {
    const order = compare(a!, b!)
    return order instanceof CelError ? order : holds(order)
  }

const size: Implementation = (value) =>
  typeof value === "string" ||
  value instanceof Uint8Array ||
  value instanceof CelList ||
  value instanceof CelMap
    ? sizeOf(value)
    : new CelError("no such overload: size")

const text =
  (run: (value: string, other: string) => boolean): Implementation =>
  (value, other) => {
    if (typeof value !== "string") return maybeNoSuchOverload(value!)
    return typeof other === "string" ? run(value, other) : maybeNoSuchOverload(other!)
  }

const matches: Implementation = (value, pattern) => {
  if (typeof value !== "string" || typeof pattern !== "string")
    return maybeNoSuchOverload(typeof value === "string" ? pattern! : value!)
  const regex = goRegexp(pattern)
  return typeof regex === "string" ? new CelError(regex) : regex.test(value)
}

const conversion = (name: string): Implementation => {
  const type = namedTypes.get(
    name === "duration"
      ? "google.protobuf.Duration"
      : name === "timestamp"
        ? "google.protobuf.Timestamp"
        : name,
  )!
  return (value) =>
    value instanceof ObjectValue && name === "string" ? String(value) : convert(value!, type)
}

const zoned = [
  "getFullYear",
  "getMonth",
  "getDate",
  "getDayOfMonth",
  "getDayOfWeek",
  "getDayOfYear",
  "getHours",
  "getMinutes",
  "getSeconds",
  "getMilliseconds",
]

const insert: Implementation = (map, key, value) => {
  if (!(map instanceof EntriesMap)) return maybeNoSuchOverload(map!)
  const entries = map instanceof GrowingMap ? map : new EntriesMap(new Map(map.entries))
  const pairs: [Value, Value][] =
    value === undefined && key instanceof CelMap
      ? key.keys().map((inner) => [inner, key.find(inner)!])
      : [[key!, value!]]
  for (const [name, item] of pairs) {
    const at = mapKey(name)
    if (entries.entries.has(at)) return new CelError(`insert failed: key ${shown(name)} already exists`)
    entries.entries.set(at, [name, item])
  }
  return entries
}

function containsAll(list: Value, wanted: Value): Value {
  if (!(list instanceof CelList) || !(wanted instanceof CelList)) return noSuchOverload
  for (let i = 0; i < wanted.size; i++) {
    const found = list.contains(wanted.get(i))
    if (found !== true) return found
  }
  return true
}

const intersects: Implementation = (a, b) => {
  if (!(a instanceof CelList) || !(b instanceof CelList)) return noSuchOverload
  for (let i = 0; i < a.size; i++) if (b.contains(a.get(i)) === true) return true
  return false
}

const unwrapAll: Implementation = (list) => {
  if (!(list instanceof CelList)) return noSuchOverload
  const items: Value[] = []
  for (let i = 0; i < list.size; i++) {
    const item = list.get(i)
    if (!(item instanceof Optional)) return new CelError(`value ${shown(item)} is not optional`)
    if (item.value !== undefined) items.push(item.value)
  }
  return new ArrayList(items)
}

const item =
  (at: (size: number) => number): Implementation =>
  (list) =>
    list instanceof CelList && list.size > 0 ? new Optional(list.get(at(list.size))) : none

/** By function. */
export const standardNames: readonly Entry[] = [
  [operators.add, (a, b) => add(a!, b!)],
  [operators.subtract, (a, b) => subtract(a!, b!)],
  [operators.multiply, (a, b) => multiply(a!, b!)],
  [operators.divide, (a, b) => divide(a!, b!)],
  [operators.modulo, (a, b) => modulo(a!, b!)],
  [operators.negate, (a) => negate(a!)],
  [operators.not, (a) => (typeof a === "boolean" ? !a : maybeNoSuchOverload(a!))],
  [operators.notStrictlyFalse, (a) => (typeof a === "boolean" ? a : true)],
  [operators.less, ordered((order) => order < 0)],
  [operators.lessEquals, ordered((order) => order <= 0)],
  [operators.greater, ordered((order) => order > 0)],
  [operators.greaterEquals, ordered((order) => order >= 0)],
  [operators.in, (a, b) => contains(a!, b!)],
  ["size", size],
  ["type", (value) => convert(value!, namedTypes.get("type")!)],
  ["dyn", (value) => value!],
  ["contains", text((value, part) => value.includes(part))],
  ["startsWith", text((value, part) => value.startsWith(part))],
  ["endsWith", text((value, part) => value.endsWith(part))],
  ["matches", matches],
]

const conversionOverloads: Readonly<Record<string, string>> = {
  bool: "bool_to_bool string_to_bool",
  bytes: "bytes_to_bytes string_to_bytes",
  double: "double_to_double int64_to_double string_to_double uint64_to_double",
  duration: "duration_to_duration string_to_duration",
  int: "int64_to_int64 double_to_int64 duration_to_int64 string_to_int64 timestamp_to_int64 uint64_to_int64",
  string:
    "string_to_string bool_to_string bytes_to_string double_to_string duration_to_string int64_to_string timestamp_to_string uint64_to_string ip_to_string cidr_to_string",
  timestamp: "timestamp_to_timestamp int64_to_timestamp string_to_timestamp",
  uint: "uint64_to_uint64 double_to_uint64 int64_to_uint64 string_to_uint64",
}

/** By overload. */
export const standardOverloads: readonly Entry[] = [
  ...zoned.flatMap((name) =>
    declarations[name]!.map(([id]): Entry => [id.slice(1), (value, zone) => timePart(name, value!, zone)]),
  ),
  ...Object.entries(conversionOverloads).flatMap(([name, ids]) =>
    ids.split(" ").map((id): Entry => [id, conversion(name)]),
  ),
  ["@mapInsert_map_key_value", insert],
  ["@mapInsert_map_map", insert],
  ["optional_of", (value) => new Optional(value)],
  ["optional_ofNonZeroValue", (value) => (isZero(value!) ? none : new Optional(value))],
  ["optional_none", () => none],
  [
    "optional_value",
    (value) =>
      value instanceof Optional && value.value !== undefined
        ? value.value
        : new CelError("optional.none() dereference"),
  ],
  ["optional_hasValue", (value) => value instanceof Optional && value.value !== undefined],
  ["optional_unwrap", unwrapAll],
  ["optional_unwrapOpt", unwrapAll],
  ["list_first", item(() => 0)],
  ["list_last", item((length) => length - 1)],
  ["list_sets_contains_list", (a, b) => containsAll(a!, b!)],
  ["list_sets_intersects_list", intersects],
  [
    "list_sets_equivalent_list",
    (a, b) => {
      const found = containsAll(a!, b!)
      return found === true ? containsAll(b!, a!) : found
    },
  ],
]
