/**
 * Conversions between types: `int("7")`, `string(1.5)`, `timestamp("…")`.
 * Mirrors: cel-go common/types (ConvertToType of each type), Go strconv
 */
import type { CelType } from "../check/types.ts"
import { integerOverflow, unsignedOverflow } from "./arithmetic.ts"
import {
  formatDuration,
  formatTimestamp,
  parseDuration,
  parseTimestamp,
  plainDecimal,
  timestampOf,
  timestampOverflow,
} from "./time.ts"
import {
  CelError,
  Double,
  Duration,
  Timestamp,
  Uint,
  isInt,
  toInt,
  toUint,
  typeOfValue,
  type Value,
} from "./values.ts"

/** A double as Go prints it: with an exponent from a million on and below 1e-4. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "NaN"
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf"
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) {
    const [digits, exponent] = value.toExponential().split("e") as [string, string]
    return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`
  }
  return Object.is(value, -0) ? "-0" : plainDecimal(value)
}

const failed = (value: Value, target: CelType): CelError =>
  new CelError(`type conversion error from '${typeOfValue(value).name}' to '${target.name}'`)

function toIntValue(value: Value, target: CelType): Value {
  if (isInt(value)) return value
  if (value instanceof Uint) return toInt(value.value) ?? integerOverflow
  if (value instanceof Double) {
    const number = value.value
    if (!Number.isFinite(number) || number <= -(2 ** 63) || number >= 2 ** 63) return integerOverflow
    return toInt(BigInt(Math.trunc(number))) ?? integerOverflow
  }
  if (value instanceof Duration) return toInt(value.nanos)!
  if (value instanceof Timestamp) return value.seconds
  if (typeof value === "string" && /^[+-]?\d{1,40}$/.test(value))
    return toInt(BigInt(value.replace(/^\+/, ""))) ?? failed(value, target)
  return failed(value, target)
}

function toUintValue(value: Value, target: CelType): Value {
  if (value instanceof Uint) return value
  if (isInt(value)) return toUint(BigInt(value)) ?? unsignedOverflow
  if (value instanceof Double) {
    const number = value.value
    if (!Number.isFinite(number) || number < 0 || number >= 2 ** 64) return unsignedOverflow
    return toUint(BigInt(Math.trunc(number))) ?? unsignedOverflow
  }
  if (typeof value === "string" && /^\d{1,40}$/.test(value))
    return toUint(BigInt(value)) ?? failed(value, target)
  return failed(value, target)
}

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const special: Readonly<Record<string, number>> = {
  inf: Infinity,
  "+inf": Infinity,
  "-inf": -Infinity,
  infinity: Infinity,
  "+infinity": Infinity,
  "-infinity": -Infinity,
  nan: NaN,
}

function toDoubleValue(value: Value, target: CelType): Value {
  if (value instanceof Double) return value
  if (isInt(value)) return new Double(Number(value))
  if (value instanceof Uint) return new Double(Number(value.value))
  if (typeof value !== "string") return failed(value, target)
  const word = value.toLowerCase()
  if (Object.hasOwn(special, word)) return new Double(special[word]!)
  if (!decimal.test(value) || !Number.isFinite(Number(value))) return failed(value, target)
  return new Double(Number(value))
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

function toStringValue(value: Value, target: CelType): Value {
  if (typeof value === "string") return value
  if (typeof value === "boolean" || isInt(value)) return String(value)
  if (value instanceof Uint) return String(value.value)
  if (value instanceof Double) return formatDouble(value.value)
  if (value instanceof Timestamp) return formatTimestamp(value)
  if (value instanceof Duration) return formatDuration(value)
  if (!(value instanceof Uint8Array)) return failed(value, target)
  try {
    return decoder.decode(value)
  } catch {
    return new CelError("invalid UTF-8 in bytes, cannot convert to string")
  }
}

const truths = new Set(["1", "t", "T", "TRUE", "true", "True"])
const lies = new Set(["0", "f", "F", "FALSE", "false", "False"])

/** The value as one of `target`'s type. */
export function convert(value: Value, target: CelType): Value {
  switch (target.kind) {
    case "int":
      return toIntValue(value, target)
    case "uint":
      return toUintValue(value, target)
    case "double":
      return toDoubleValue(value, target)
    case "string":
      return toStringValue(value, target)
    case "bytes":
      return typeof value === "string"
        ? Buffer.from(value)
        : value instanceof Uint8Array
          ? value
          : failed(value, target)
    case "bool":
      if (typeof value === "string" && truths.has(value)) return true
      if (typeof value === "string" && lies.has(value)) return false
      return typeof value === "boolean" ? value : failed(value, target)
    case "duration": {
      if (value instanceof Duration) return value
      const nanos = typeof value === "string" ? parseDuration(value) : undefined
      return nanos === undefined ? failed(value, target) : new Duration(nanos)
    }
    case "timestamp": {
      if (value instanceof Timestamp) return value
      if (isInt(value)) return typeof value === "number" ? timestampOf(value) : timestampOverflow
      const time = typeof value === "string" ? parseTimestamp(value) : undefined
      return time === undefined ? failed(value, target) : timestampOf(time.seconds, time.nanos, time.offset)
    }
    case "type":
      return typeOfValue(value)
    default:
      return failed(value, target)
  }
}
