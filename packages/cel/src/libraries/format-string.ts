/**
 * `"%s has %.2f".format([a, b])`.
 * Mirrors: cel-go ext/formatting.go
 */
import { goQuote } from "@knarr/apimachinery"
import { namedTypes } from "../check/types.ts"
import { convert } from "../run/convert.ts"
import { CelError, CelList, CelMap, Double, Uint, isInt, typeOfValue, type Value } from "../run/values.ts"

/** Why a text cannot be made; `at` is the value it is about, for the check of literals. */
export class FormatProblem extends Error {}

export type Clause = "s" | "d" | "f" | "e" | "b" | "x" | "X" | "o"

/** Reads a format; calls `text` for what is copied and `clause` for what is formatted. */
export function readFormat(
  format: string,
  size: number,
  text: (part: string) => void,
  clause: (kind: Clause, precision: number | undefined, index: number) => void,
): void {
  let index = 0
  for (let at = 0; at < format.length;) {
    const next = format.indexOf("%", at)
    if (next < 0) return text(format.slice(at))
    text(format.slice(at, next))
    at = next + 1
    if (format[at] === "%") {
      text("%")
      at++
      continue
    }
    if (index >= size) throw new FormatProblem(`index ${index} out of range`)
    if (at >= format.length) throw new FormatProblem("unexpected end of string")
    const { kind, precision, end } = readClause(format, at)
    clause(kind, precision, index++)
    at = end
  }
}

function readClause(
  format: string,
  start: number,
): { kind: Clause; precision: number | undefined; end: number } {
  const wrong = (message: string): never => {
    throw new FormatProblem(`could not parse formatting clause: ${message}`)
  }
  let at = start
  let precision: number | undefined
  if (format[at] === ".") {
    at++
    const from = at
    while (at < format.length && format[at]! >= "0" && format[at]! <= "9") at++
    if (at >= format.length) wrong("error while parsing precision: could not find end of precision specifier")
    const digits = format.slice(from, at)
    if (!/^\d{1,18}$/.test(digits)) {
      const why = digits === "" ? "invalid syntax" : "value out of range"
      wrong(
        `error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing ${goQuote(digits)}: ${why}`,
      )
    }
    precision = Number(digits)
  }
  const kind = String.fromCharCode(format.charCodeAt(at))
  if (!"sdfebxXo".includes(kind)) wrong(`unrecognized formatting clause "${kind}"`)
  return { kind: kind as Clause, precision, end: at + 1 }
}

const refusals: Readonly<Record<Clause, string>> = {
  s: "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
  d: "decimal clause can only be used on integers",
  f: "fixed-point clause can only be used on doubles",
  e: "scientific clause can only be used on doubles",
  b: "only integers and bools can be formatted as binary",
  x: "only integers, byte buffers, and strings can be formatted as hex",
  X: "only integers, byte buffers, and strings can be formatted as hex",
  o: "octal clause can only be used on integers",
}

/** The complaint of a value of a wrong type. */
export function refusal(clause: Clause, typeName: string): FormatProblem {
  return new FormatProblem(`error during formatting: ${refusals[clause]}, was given ${typeName}`)
}

const maxPrecision = 100
const stringType = namedTypes.get("string")!

function integer(value: Value): bigint | undefined {
  return isInt(value) ? BigInt(value) : value instanceof Uint ? value.value : undefined
}

function based(value: bigint, base: number): string {
  return value.toString(base)
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹"

function double(clause: "f" | "e", value: Value, precision = 6): string {
  const named = typeof value === "string" && ["NaN", "Infinity", "-Infinity"].includes(value)
  if (!(value instanceof Double) && !named) throw refusal(clause, typeOfValue(value).name)
  const number = value instanceof Double ? value.value : Number(value)
  // What is given as the precision of an exponent is taken as the width.
  const padded = (text: string): string => (clause === "e" ? text.padStart(precision) : text)
  if (Number.isNaN(number)) return padded("NaN")
  if (!Number.isFinite(number)) return padded(number > 0 ? "∞" : "-∞")
  if (precision > maxPrecision)
    throw new FormatProblem(
      `error during formatting: precision ${precision} exceeds maximum allowed precision ${maxPrecision}`,
    )
  if (clause === "f") {
    return new Intl.NumberFormat("en-US", {
      minimumFractionDigits: precision,
      maximumFractionDigits: precision,
      roundingMode: "halfEven",
    }).format(number)
  }
  const [digits, exponent] = number.toExponential(6).split("e") as [string, string]
  const raised = Array.from(exponent.slice(1).padStart(2, "0"), (digit) => superscripts[Number(digit)]).join(
    "",
  )
  return padded(`${digits}×10${exponent.startsWith("-") ? "⁻" : ""}${raised}`)
}

function clauseText(clause: Clause, value: Value, precision: number | undefined): string {
  switch (clause) {
    case "s":
      return plainText(value)
    case "f":
    case "e":
      return double(clause, value, precision)
    case "b":
      if (typeof value === "boolean") return value ? "1" : "0"
      break
    case "x":
    case "X":
      if (typeof value === "string" || value instanceof Uint8Array) {
        const hex = Buffer.from(value as string).toString("hex")
        return clause === "X" ? hex.toUpperCase() : hex
      }
  }
  const whole = integer(value)
  if (whole === undefined) throw refusal(clause, typeOfValue(value).name)
  const base = { d: 10, b: 2, x: 16, X: 16, o: 8 }[clause as "d" | "b" | "x" | "X" | "o"]
  return clause === "X" ? based(whole, base).toUpperCase() : based(whole, base)
}

const printable = new Set([
  "int",
  "uint",
  "double",
  "bool",
  "string",
  "timestamp",
  "bytes",
  "duration",
  "type",
])

function plainText(value: Value): string {
  if (value === null) return "null"
  if (value instanceof CelList) return listText(value)
  if (value instanceof CelMap) return mapText(value)
  const type = typeOfValue(value)
  if (!printable.has(type.kind)) throw refusal("s", type.name)
  if (type.kind === "type") return String((value as unknown as { name: string }).name)
  const text = convert(value, stringType)
  if (text instanceof CelError)
    throw new FormatProblem(
      `error during formatting: could not convert argument ${goQuote(text.message)} to string`,
    )
  return text as string
}

/** A value inside a list or map. */
function innerText(value: Value): string {
  const type = typeOfValue(value)
  switch (type.kind) {
    case "string":
      return goQuote(value as string)
    case "bytes":
      return `b${goQuote(plainText(value))}`
    case "timestamp":
      return `timestamp(${goQuote(plainText(value))})`
    case "duration":
      return `duration(${goQuote(plainText(value))})`
    case "double":
      return fixed((value as Double).value)
    case "list":
    case "map":
    case "int":
    case "uint":
    case "bool":
    case "null":
    case "type":
      return plainText(value)
    default:
      throw new FormatProblem(`error during formatting: no formatting function for ${type.name}`)
  }
}

function fixed(value: number): string {
  if (Number.isNaN(value)) return '"NaN"'
  if (!Number.isFinite(value)) return value > 0 ? '"+Inf"' : '"-Inf"'
  return new Intl.NumberFormat("en-US", {
    useGrouping: false,
    minimumFractionDigits: 6,
    maximumFractionDigits: 6,
    roundingMode: "halfEven",
  }).format(value)
}

function listText(list: CelList): string {
  return `[${Array.from({ length: list.size }, (_, i) => innerText(list.get(i))).join(", ")}]`
}

function mapText(map: CelMap): string {
  const pairs = map.keys().map((key): [string, string] => {
    const { kind, name } = typeOfValue(key)
    if (!["string", "bool", "int", "uint"].includes(kind))
      throw new FormatProblem(`error during formatting: no formatting function for map key of type ${name}`)
    return [innerText(key), innerText(map.find(key)!)]
  })
  return `{${pairs
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}:${value}`)
    .join(", ")}}`
}

/** The text, or the error of a format that does not fit its values. */
export function formatted(format: string, args: CelList): Value {
  let out = ""
  try {
    readFormat(
      format,
      args.size,
      (part) => (out += part),
      (clause, precision, index) => (out += clauseText(clause, args.get(index), precision)),
    )
    return out
  } catch (error) {
    if (!(error instanceof FormatProblem)) throw error
    return new CelError(error.message)
  }
}
