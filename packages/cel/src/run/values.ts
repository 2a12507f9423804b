/**
 * What expressions compute with. An int is a `number` while it is a safe integer and a `bigint` beyond; a double is a
 * {@link Double}; strings, bools, null and bytes are JavaScript's own. An error is a value until somebody absorbs it.
 * Mirrors: cel-go common/types
 */
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  errorType,
  intType,
  listType,
  mapType,
  nullType,
  optionalType,
  stringType,
  timestampType,
  typeType,
  uintType,
  CelType,
} from "../check/types.ts"
import { Double, Duration, Timestamp, Uint } from "./scalars.ts"

export { Double, Duration, Timestamp, Uint, toInt, toUint } from "./scalars.ts"

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Double
  | Uint
  | Timestamp
  | Duration
  | CelList
  | CelMap
  | CelType
  | Optional
  | ObjectValue
  | CelError

export class Optional {
  readonly value: Value | undefined
  constructor(value: Value | undefined) {
    this.value = value
  }
}
export const none: Optional = new Optional(undefined)

/** What went wrong in an evaluation. `&&`, `||` and macros may absorb it. */
export class CelError {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}
export const noSuchOverload: CelError = new CelError("no such overload")

/** A value of a library: an IP, a quantity, an authorizer. */
export abstract class ObjectValue {
  abstract readonly type: CelType
  /** Of addresses, in bytes: what reading them costs. */
  readonly size?: number
  abstract equalTo(other: Value): Value
  /** Whether `optional.ofNonZeroValue` drops it. */
  isZero(): boolean {
    return false
  }
}

export abstract class CelList {
  abstract readonly size: number
  /** The item at a whole number below `size`. */
  abstract get(index: number): Value
  /** Overridden by lists of schemas, whose sets and maps compare by key. */
  equalTo(other: Value): Value {
    return listsEqual(this, other)
  }
  contains(value: Value): Value {
    for (let i = 0; i < this.size; i++) if (equal(value, this.get(i)) === true) return true
    return false
  }
  add(other: Value): Value {
    return other instanceof CelList ? concatenated(this, other) : maybeNoSuchOverload(other)
  }
}

/** A list of values at hand. */
export class ArrayList extends CelList {
  readonly items: readonly Value[]
  constructor(items: readonly Value[]) {
    super()
    this.items = items
  }
  get size(): number {
    return this.items.length
  }
  get(index: number): Value {
    return this.items[index]!
  }
}

/** A loop's accumulator: adding to it changes it. Nobody else sees it before the loop ends. */
export class GrowingList extends CelList {
  readonly items: Value[] = []
  get size(): number {
    return this.items.length
  }
  get(index: number): Value {
    return this.items[index]!
  }
  override add(other: Value): Value {
    if (!(other instanceof CelList)) return maybeNoSuchOverload(other)
    const { size } = other
    for (let i = 0; i < size; i++) this.items.push(other.get(i))
    return this
  }
}

class ConcatList extends CelList {
  readonly size: number
  readonly #left: CelList
  readonly #right: CelList
  constructor(left: CelList, right: CelList) {
    super()
    this.#left = left
    this.#right = right
    this.size = left.size + right.size
  }
  get(index: number): Value {
    let at = index
    let list = at < this.#left.size ? this.#left : this.#right
    if (at >= this.#left.size) at -= this.#left.size
    while (list instanceof ConcatList) {
      const { size } = list.#left
      list = at < size ? list.#left : list.#right
      if (at >= size) at -= size
    }
    return list.get(at)
  }
}

function concatenated(left: CelList, right: CelList): CelList {
  if (left.size === 0) return right
  return right.size === 0 ? left : new ConcatList(left, right)
}

export abstract class CelMap {
  abstract readonly size: number
  /** The value of a key; undefined when there is none, an error when the key is of a wrong type. */
  abstract find(key: Value): Value | undefined
  abstract keys(): Value[]
  equalTo(other: Value): Value {
    if (!(other instanceof CelMap) || this.size !== other.size) return false
    for (const key of this.keys()) {
      const theirs = other.find(key)
      if (theirs === undefined || equal(this.find(key)!, theirs) === false) return false
    }
    return true
  }
}

type MapKey = string | number | bigint | boolean | Value

/** Keys of equal numbers are one key, whatever their type. */
export function mapKey(value: Value): MapKey {
  if (value instanceof Uint) return value.value <= 9007199254740991n ? Number(value.value) : value.value
  if (value instanceof Double) return value.value
  return value
}

/** A map of values at hand. */
export class EntriesMap extends CelMap {
  readonly entries: Map<MapKey, readonly [key: Value, value: Value]>
  constructor(entries: Map<MapKey, readonly [key: Value, value: Value]> = new Map()) {
    super()
    this.entries = entries
  }
  get size(): number {
    return this.entries.size
  }
  find(key: Value): Value | undefined {
    return this.entries.get(mapKey(key))?.[1]
  }
  keys(): Value[] {
    return Array.from(this.entries.values(), ([key]) => key)
  }
}

export function maybeNoSuchOverload(value: Value): CelError {
  return value instanceof CelError ? value : noSuchOverload
}

export function typeOfValue(value: Value): CelType {
  switch (typeof value) {
    case "string":
      return stringType
    case "boolean":
      return boolType
    case "number":
    case "bigint":
      return intType
    default:
      if (value === null) return nullType
      if (value instanceof CelMap) return mapType
      if (value instanceof CelList) return listType
      if (value instanceof Double) return doubleType
      if (value instanceof Uint) return uintType
      if (value instanceof Uint8Array) return bytesType
      if (value instanceof Timestamp) return timestampType
      if (value instanceof Duration) return durationType
      if (value instanceof CelType) return typeType
      if (value instanceof Optional) return optionalType
      return value instanceof CelError ? errorType : value.type
  }
}

export const isInt = (value: Value): value is number | bigint =>
  typeof value === "number" || typeof value === "bigint"
export const isNumber = (value: Value): value is number | bigint | Double | Uint =>
  isInt(value) || value instanceof Double || value instanceof Uint

/** -1, 0 or 1 of two numbers of any type; JavaScript compares number and bigint exactly. */
export function compareNumbers(
  a: number | bigint | Double | Uint,
  b: number | bigint | Double | Uint,
): number {
  const x = typeof a === "object" ? a.value : a
  const y = typeof b === "object" ? b.value : b
  if (typeof a === "object" && a instanceof Double !== (typeof b === "object" && b instanceof Double))
    return compareMixed(x, y)
  if (typeof b === "object" && b instanceof Double && !(typeof a === "object" && a instanceof Double))
    return compareMixed(x, y)
  return x < y ? -1 : x > y ? 1 : 0
}

/** A double and a whole number: in range both are compared as doubles. */
function compareMixed(x: number | bigint, y: number | bigint): number {
  const a = Number(x)
  const b = Number(y)
  return a < b ? -1 : a > b ? 1 : 0
}

/** Whether two values are equal, or the error that comparing them gives. */
export function equal(a: Value, b: Value): Value {
  if (a === null || b === null) return a === b
  if (isNumber(a)) return isNumber(b) && !isNaNValue(a) && !isNaNValue(b) && compareNumbers(a, b) === 0
  if (typeof a !== "object") return a === b
  if (a instanceof CelList || a instanceof CelMap || a instanceof ObjectValue) return a.equalTo(b)
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0
  if (a instanceof Timestamp) return b instanceof Timestamp && a.seconds === b.seconds && a.nanos === b.nanos
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos
  if (a instanceof CelType) return b instanceof CelType && a.name === b.name
  if (a instanceof Optional) {
    if (!(b instanceof Optional)) return false
    return a.value === undefined || b.value === undefined ? a.value === b.value : equal(a.value, b.value)
  }
  return a
}

function isNaNValue(value: Value): boolean {
  return value instanceof Double && Number.isNaN(value.value)
}

function listsEqual(a: CelList, b: Value): Value {
  if (!(b instanceof CelList) || a.size !== b.size) return false
  for (let i = 0; i < a.size; i++) if (equal(a.get(i), b.get(i)) === false) return false
  return true
}

export function isZero(value: Value): boolean {
  if (value === null) return true
  switch (typeof value) {
    case "boolean":
      return !value
    case "number":
    case "bigint":
      return value === 0
    case "string":
      return value === ""
    default:
      if (value instanceof CelList || value instanceof CelMap) return value.size === 0
      if (value instanceof Double) return value.value === 0
      if (value instanceof Uint) return value.value === 0n
      if (value instanceof Uint8Array) return value.length === 0
      if (value instanceof Duration) return value.nanos === 0n
      if (value instanceof Timestamp) return value.seconds === -62135596800 && value.nanos === 0
      return value instanceof ObjectValue && value.isZero()
  }
}
