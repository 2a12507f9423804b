/**
 * Operators on values. Overflow, division by zero and wrong types are errors.
 * Mirrors: cel-go common/types/overflow.go and the traits of each type
 */
import { addDuration, addTime, compareTimes, subtractTimes } from "./time.ts"
import {
  CelError,
  CelList,
  CelMap,
  Double,
  Duration,
  Timestamp,
  Uint,
  compareNumbers,
  isInt,
  isNumber,
  maybeNoSuchOverload,
  noSuchOverload,
  toInt,
  toUint,
  type Value,
} from "./values.ts"

export const integerOverflow: CelError = new CelError("integer overflow")
export const unsignedOverflow: CelError = new CelError("unsigned integer overflow")
const durationOverflow = new CelError("duration overflow")
const divisionByZero = new CelError("division by zero")
const modulusByZero = new CelError("modulus by zero")
const notOrdered = new CelError("NaN values cannot be ordered")

const int = (value: bigint): Value => toInt(value) ?? integerOverflow
const uint = (value: bigint): Value => toUint(value) ?? unsignedOverflow
const duration = (nanos: bigint): Value =>
  toInt(nanos) === undefined ? durationOverflow : new Duration(nanos)

/** `no such overload: _+_` of types that know no such operator, as the interpreter says it. */
const notFor = (operator: string): CelError => new CelError(`no such overload: ${operator}`)

export function add(a: Value, b: Value): Value {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b
    return Number.isSafeInteger(sum) ? sum : int(BigInt(a) + BigInt(b))
  }
  if (typeof a === "string") return typeof b === "string" ? a + b : maybeNoSuchOverload(b)
  if (isInt(a)) return isInt(b) ? int(BigInt(a) + BigInt(b)) : maybeNoSuchOverload(b)
  if (a instanceof CelList) return a.add(b)
  if (a instanceof Double) return b instanceof Double ? new Double(a.value + b.value) : maybeNoSuchOverload(b)
  if (a instanceof Uint) return b instanceof Uint ? uint(a.value + b.value) : maybeNoSuchOverload(b)
  if (a instanceof Uint8Array) return b instanceof Uint8Array ? Buffer.concat([a, b]) : maybeNoSuchOverload(b)
  if (a instanceof Timestamp) return b instanceof Duration ? addTime(a, b.nanos) : maybeNoSuchOverload(b)
  if (a instanceof Duration)
    return b instanceof Timestamp
      ? addTime(b, a.nanos)
      : b instanceof Duration
        ? addDuration(a, b)
        : maybeNoSuchOverload(b)
  return notFor("_+_")
}

export function subtract(a: Value, b: Value): Value {
  if (typeof a === "number" && typeof b === "number") {
    const rest = a - b
    return Number.isSafeInteger(rest) ? rest : int(BigInt(a) - BigInt(b))
  }
  if (isInt(a)) return isInt(b) ? int(BigInt(a) - BigInt(b)) : maybeNoSuchOverload(b)
  if (a instanceof Double) return b instanceof Double ? new Double(a.value - b.value) : maybeNoSuchOverload(b)
  if (a instanceof Uint) return b instanceof Uint ? uint(a.value - b.value) : maybeNoSuchOverload(b)
  if (a instanceof Timestamp)
    return b instanceof Duration
      ? addTime(a, -b.nanos)
      : b instanceof Timestamp
        ? subtractTimes(a, b)
        : maybeNoSuchOverload(b)
  if (a instanceof Duration)
    return b instanceof Duration ? duration(a.nanos - b.nanos) : maybeNoSuchOverload(b)
  return notFor("_-_")
}

export function multiply(a: Value, b: Value): Value {
  if (typeof a === "number" && typeof b === "number") {
    const product = a * b
    return Number.isSafeInteger(product) ? (product === 0 ? 0 : product) : int(BigInt(a) * BigInt(b))
  }
  if (isInt(a)) return isInt(b) ? int(BigInt(a) * BigInt(b)) : maybeNoSuchOverload(b)
  if (a instanceof Double) return b instanceof Double ? new Double(a.value * b.value) : maybeNoSuchOverload(b)
  if (a instanceof Uint) return b instanceof Uint ? uint(a.value * b.value) : maybeNoSuchOverload(b)
  return notFor("_*_")
}

export function divide(a: Value, b: Value): Value {
  if (isInt(a))
    return !isInt(b) ? maybeNoSuchOverload(b) : b === 0 ? divisionByZero : int(BigInt(a) / BigInt(b))
  if (a instanceof Double) return b instanceof Double ? new Double(a.value / b.value) : maybeNoSuchOverload(b)
  if (a instanceof Uint)
    return !(b instanceof Uint)
      ? maybeNoSuchOverload(b)
      : b.value === 0n
        ? divisionByZero
        : uint(a.value / b.value)
  return notFor("_/_")
}

export function modulo(a: Value, b: Value): Value {
  if (isInt(a)) {
    if (!isInt(b)) return maybeNoSuchOverload(b)
    if (b === 0) return modulusByZero
    return BigInt(b) === -1n && BigInt(a) === -(2n ** 63n) ? integerOverflow : int(BigInt(a) % BigInt(b))
  }
  if (a instanceof Uint)
    return !(b instanceof Uint)
      ? maybeNoSuchOverload(b)
      : b.value === 0n
        ? modulusByZero
        : uint(a.value % b.value)
  return notFor("_%_")
}

export function negate(a: Value): Value {
  if (typeof a === "number") return a === 0 ? 0 : -a
  if (typeof a === "bigint") return int(-a)
  if (a instanceof Double) return new Double(-a.value)
  if (a instanceof Duration) return duration(-a.nanos)
  return typeof a === "boolean" ? noSuchOverload : notFor("-_")
}

/** -1, 0, 1, or the error of what has no order. */
export function compare(a: Value, b: Value): number | CelError {
  if (isNumber(a)) {
    if (!isNumber(b)) return maybeNoSuchOverload(b)
    if ((a instanceof Double && Number.isNaN(a.value)) || (b instanceof Double && Number.isNaN(b.value)))
      return notOrdered
    return compareNumbers(a, b)
  }
  if (typeof a === "string") return typeof b === "string" ? compareStrings(a, b) : maybeNoSuchOverload(b)
  if (typeof a === "boolean") return typeof b === "boolean" ? Number(a) - Number(b) : maybeNoSuchOverload(b)
  if (a instanceof Uint8Array) return b instanceof Uint8Array ? Buffer.compare(a, b) : maybeNoSuchOverload(b)
  if (a instanceof Timestamp) return b instanceof Timestamp ? compareTimes(a, b) : maybeNoSuchOverload(b)
  if (a instanceof Duration)
    return !(b instanceof Duration)
      ? maybeNoSuchOverload(b)
      : a.nanos < b.nanos
        ? -1
        : a.nanos > b.nanos
          ? 1
          : 0
  return noSuchOverload
}

/** Whether values of the type have an order. */
export function isComparable(value: Value): boolean {
  return (
    isNumber(value) ||
    ["string", "boolean"].includes(typeof value) ||
    value instanceof Uint8Array ||
    value instanceof Timestamp ||
    value instanceof Duration
  )
}

/** By code points, as Go compares the bytes: UTF-16 puts what is beyond the first plane elsewhere. */
function compareStrings(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    let x = a.charCodeAt(i)
    let y = b.charCodeAt(i)
    if (x === y) continue
    if (x >= 0xd800 && x <= 0xdfff) x += 0x2000
    else if (x >= 0xe000) x -= 0x800
    if (y >= 0xd800 && y <= 0xdfff) y += 0x2000
    else if (y >= 0xe000) y -= 0x800
    return x < y ? -1 : 1
  }
  return a.length - b.length === 0 ? 0 : a.length < b.length ? -1 : 1
}

/** `value in container`. */
export function contains(value: Value, container: Value): Value {
  if (container instanceof CelList) return container.contains(value)
  if (!(container instanceof CelMap)) return maybeNoSuchOverload(container)
  const found = container.find(value)
  return found instanceof CelError ? found : found !== undefined
}
