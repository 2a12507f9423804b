/** Readers of single values, with the messages of Go's decoder. Mirrors: encoding/json, and the UnmarshalJSON methods of apimachinery */
import { numberText } from "@knarr/base"
import { goTimeError } from "./go-time-error.ts"
import { canonicalQuantity } from "./quantity.ts"
import type { Schema } from "./schema.ts"
import { canonicalMicroTime, canonicalTime } from "./time.ts"

/** A value of the wrong JSON type; the objects around it add where it is. */
export class TypeProblem extends Error {
  readonly #value: unknown
  readonly #shown: string
  readonly #wanted: string
  #goType: string
  #struct = ""
  readonly #path: string[] = []

  /** `goType` is what was wanted, `shown` how the value is called: `string`, `number 1.5`, `array`, … */
  constructor(value: unknown, goType: string, shown: string = kindOf(value)) {
    super()
    this.#value = value
    this.#shown = shown
    this.#wanted = goType
    this.#goType = goType
  }

  /**
   * `field` is the path of the field in the struct. Its type, or that of its items, may have a name of its own,
   * `typeName`, which is `plainType` without it.
   */
  within(goStruct: string, field: string, plainType = "", typeName?: string): void {
    if (this.#struct === "") {
      this.#struct = goStruct.slice(goStruct.indexOf(".") + 1)
      if (typeName !== undefined)
        if (this.#goType === plainType) this.#goType = typeName
        else if (plainType.endsWith(`]${this.#goType}`))
          this.#goType = typeName.slice(typeName.indexOf("]") + 1)
    }
    this.#path.unshift(field)
  }

  /** The same of a value that never was text: how upstream reads what a strategic patch made. */
  unstructuredText(): string {
    const [kind, type] = goKindOf(this.#value)
    if (this.#wanted.startsWith("map[")) return `cannot restore map from ${kind}`
    if (this.#wanted.startsWith("[]")) return `cannot restore slice from ${kind}`
    if (this.#wanted.includes(".")) return `cannot restore struct from: ${kind}`
    return `cannot convert ${type} to ${this.#goType}`
  }

  /** `source` is the JSON in which the value stands: it tells how a number is written. */
  text(source?: string): string {
    const where = this.#struct === "" ? "Go value" : `Go struct field ${this.#struct}.${this.#path.join(".")}`
    const written =
      source !== undefined && this.#shown.startsWith("number ")
        ? numberText(source, (value) => value === this.#value)
        : undefined
    const shown = written === undefined ? this.#shown : `number ${written}`
    return `json: cannot unmarshal ${shown} into ${where} of type ${this.#goType}`
  }
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array"
  return typeof value === "boolean" ? "bool" : typeof value
}

/** The kind and the type that Go gives a JSON value. */
function goKindOf(value: unknown): readonly [kind: string, type: string] {
  if (Array.isArray(value)) return ["slice", "[]interface {}"]
  if (typeof value === "object") return ["map", "map[string]interface {}"]
  const name = typeof value === "number" ? (Number.isInteger(value) ? "int64" : "float64") : kindOf(value)
  return [name, name]
}

type Reader = (value: unknown) => unknown

const readString: Reader = (value) => {
  if (typeof value !== "string") throw new TypeProblem(value, "string")
  return value
}

const readBoolean: Reader = (value) => {
  if (typeof value !== "boolean") throw new TypeProblem(value, "bool")
  return value
}

const readNumber: Reader = (value) => {
  if (typeof value !== "number") throw new TypeProblem(value, "float64")
  return value
}

function readInt(value: unknown, goType: string, limit: number): number {
  if (typeof value !== "number") throw new TypeProblem(value, goType)
  if (!Number.isInteger(value) || value >= limit || value < -limit) {
    throw new TypeProblem(value, goType, `number ${value}`)
  }
  return value
}

const readInt32: Reader = (value) => readInt(value, "int32", 2 ** 31)
// The largest int64 values are no exact numbers here: 2^63-1 arrives as 2^63.
const readInt64: Reader = (value) => readInt(value, "int64", 2 ** 63 + 1)

const readQuantity: Reader = (value) => {
  if (typeof value === "string") return canonicalQuantity(value.trim())
  if (typeof value === "number") return canonicalQuantity(String(value))
  return canonicalQuantity(JSON.stringify(value))
}

const readIntOrString: Reader = (value) => (typeof value === "string" ? value : readInt32(value))

const readTime: Reader = (value) => {
  const text = readString(value) as string
  const canonical = canonicalTime(text)
  if (canonical === undefined) throw new Error(goTimeError(text, "2006-01-02T15:04:05Z07:00"))
  return canonical === zeroTime ? null : canonical
}

/** Go's zero time, which it prints as null. */
const zeroTime = "0001-01-01T00:00:00Z"

const readMicroTime: Reader = (value) => {
  const text = readString(value) as string
  const canonical = canonicalMicroTime(text)
  if (canonical === undefined) throw new Error(goTimeError(text, "2006-01-02T15:04:05.000000Z07:00"))
  return canonical
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

const readBytes: Reader = (value) => {
  if (typeof value !== "string") throw new TypeProblem(value, "[]uint8")
  const text = /[\r\n]/.test(value) ? value.replace(/[\r\n]/g, "") : value
  if (!base64.test(text)) throw new Error(`illegal base64 data at input byte ${badBase64Byte(value)}`)
  return text
}

/** Where Go's base64 decoder stops. */
function badBase64Byte(text: string): number {
  const end = /^[A-Za-z0-9+/\r\n]*/.exec(text)![0].length
  let digits = 0
  for (let i = 0; i < end; i++) if (text[i] !== "\r" && text[i] !== "\n") digits++
  // A text that ends inside a group of four is reported at the group's start.
  if (end === text.length) return text.length - (digits % 4)
  const used = digits % 4
  if (text[end] === "=" && used >= 2) {
    const rest = text.slice(end + 1).replace(/[\r\n]/g, "")
    if (used === 3) return end + 1
    return rest[0] === "=" ? end + 2 : rest === "" ? text.length : end + 1
  }
  return end
}

/** How to read a value of a scalar type. The reader throws {@link TypeProblem} or an Error with the final message. */
export function scalarReader(schema: Schema): Reader {
  switch (schema.type) {
    case "boolean":
      return readBoolean
    case "number":
      return readNumber
    case "integer":
      return schema.format === "int32" ? readInt32 : readInt64
    case "quantity":
      return readQuantity
    case "int-or-string":
      return readIntOrString
    case "time":
      return readTime
    case "micro-time":
      return readMicroTime
    case "bytes":
      return readBytes
    default:
      return readString
  }
}
