/**
 * Reads the protobuf form of API objects into the plain value that their JSON form would parse to. Fields that Go
 * writes although they are zero come along; `decodeObject` drops them, as it does for JSON.
 * Mirrors: apimachinery pkg/runtime/serializer/protobuf/protobuf.go
 */
import { DecodeError } from "./decode.ts"
import type { Field, Schema } from "./schema.ts"
import { formatMicroTime, formatTime } from "./time.ts"

/** What every protobuf body begins with. */
const magic = Buffer.from("k8s\0", "latin1")

export interface ProtobufEnvelope {
  readonly apiVersion: string
  readonly kind: string
  /** The object itself, for {@link decodeProtobuf}. */
  readonly raw: Buffer
}

/** Opens the envelope around an object. Throws a {@link DecodeError} when it is none. */
export function openProtobufEnvelope(body: Buffer): ProtobufEnvelope {
  if (!body.subarray(0, magic.length).equals(magic)) {
    throw new DecodeError(
      "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    )
  }
  let apiVersion = ""
  let kind = ""
  let raw: Buffer = Buffer.alloc(0)
  const reader = new WireReader(body.subarray(magic.length))
  while (reader.next()) {
    if (reader.number === 2) raw = reader.bytes()
    else if (reader.number === 1) {
      const type = new WireReader(reader.bytes())
      while (type.next()) {
        if (type.number === 1) apiVersion = type.bytes().toString("utf8")
        else if (type.number === 2) kind = type.bytes().toString("utf8")
        else type.skip()
      }
    } else reader.skip()
  }
  return { apiVersion, kind, raw }
}

/** The value of an object of a built-in shape. Throws a {@link DecodeError} for what is no such message. */
export function decodeProtobuf(schema: Schema, raw: Buffer): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  readMessage(planOf(schema), raw, out)
  return out
}

/** Field numbers of one message; a nested plan is what JSON writes inline. */
type Plan = ReadonlyMap<number, Field | Plan>

const plans = new WeakMap<Schema, Plan>()

function planOf(schema: Schema): Plan {
  let plan = plans.get(schema)
  if (!plan) {
    const root = new Map<number, Field | Plan>()
    for (const field of schema.fields?.values() ?? []) {
      let level = root
      const path = field.proto ?? []
      for (const [i, number] of path.entries()) {
        if (i === path.length - 1) level.set(number, field)
        else {
          const inner =
            (level.get(number) as Map<number, Field | Plan> | undefined) ?? new Map<number, Field | Plan>()
          level.set(number, inner)
          level = inner
        }
      }
    }
    plans.set(schema, (plan = root))
  }
  return plan
}

function readMessage(plan: Plan, bytes: Buffer, out: Record<string, unknown>): void {
  const reader = new WireReader(bytes)
  while (reader.next()) {
    const entry = plan.get(reader.number)
    if (entry === undefined) reader.skip()
    else if (isPlan(entry)) readMessage(entry, reader.bytes(), out)
    else readField(entry, reader, out)
  }
}

function isPlan(entry: Field | Plan): entry is Plan {
  return entry instanceof Map
}

function readField(field: Field, reader: WireReader, out: Record<string, unknown>): void {
  const { name, schema } = field
  if (schema.type === "array") {
    const list = (out[name] ??= []) as unknown[]
    readItem(schema.items!, reader, list)
  } else if (schema.type === "map") {
    const map = (out[name] ??= {}) as Record<string, unknown>
    const entry = new WireReader(reader.bytes())
    let key = ""
    let value: unknown = emptyOf(schema.values!)
    while (entry.next()) {
      if (entry.number === 1) key = entry.bytes().toString("utf8")
      else if (entry.number === 2) value = readMapValue(schema.values!, entry)
      else entry.skip()
    }
    if (key !== "__proto__") map[key] = value
  } else out[name] = readValue(schema, reader)
}

/** Lists of numbers may be packed. */
function readItem(items: Schema, reader: WireReader, list: unknown[]): void {
  const isNumber = items.type === "integer" || items.type === "boolean"
  if (isNumber && reader.wire === 2) {
    const packed = new WireReader(reader.bytes())
    while (!packed.atEnd) list.push(items.type === "boolean" ? packed.varint() !== 0 : packed.varint())
  } else list.push(readValue(items, reader))
}

/** A list as a map's value is a message whose first field is the list. */
function readMapValue(schema: Schema, reader: WireReader): unknown {
  if (schema.type !== "array") return readValue(schema, reader)
  const list: unknown[] = []
  const inner = new WireReader(reader.bytes())
  while (inner.next()) {
    if (inner.number === 1) readItem(schema.items!, inner, list)
    else inner.skip()
  }
  return list
}

function emptyOf(schema: Schema): unknown {
  return schema.type === "string" || schema.type === "bytes" ? "" : schema.type === "array" ? [] : {}
}

function readValue(schema: Schema, reader: WireReader): unknown {
  switch (schema.type) {
    case "string":
      return reader.bytes().toString("utf8")
    case "bytes":
      return reader.bytes().toString("base64")
    case "integer":
      return reader.varint()
    case "boolean":
      return reader.varint() !== 0
    case "number":
      return reader.double()
    case "object": {
      const out: Record<string, unknown> = {}
      readMessage(planOf(schema), reader.bytes(), out)
      return out
    }
    case "time":
    case "micro-time": {
      const { 1: seconds = 0, 2: nanos = 0 } = numbersOf(reader.bytes())
      // Go's zero time is what an absent one becomes.
      if (seconds === 0 && nanos === 0) return null
      const ms = seconds * 1000
      return schema.type === "time" ? formatTime(ms) : formatMicroTime(ms + nanos / 1e6)
    }
    case "quantity": {
      const inner = new WireReader(reader.bytes())
      let text = "0"
      while (inner.next()) {
        if (inner.number === 1) text = inner.bytes().toString("utf8")
        else inner.skip()
      }
      return text
    }
    case "int-or-string": {
      const inner = new WireReader(reader.bytes())
      let type = 0
      let number = 0
      let text = ""
      while (inner.next()) {
        if (inner.number === 1) type = inner.varint()
        else if (inner.number === 2) number = inner.varint()
        else if (inner.number === 3) text = inner.bytes().toString("utf8")
        else inner.skip()
      }
      return type === 1 ? text : number
    }
    case "any": {
      const inner = new WireReader(reader.bytes())
      let raw: Buffer | undefined
      while (inner.next()) {
        if (inner.number === 1) raw = inner.bytes()
        else inner.skip()
      }
      return raw && raw.length > 0 ? rawJson(raw) : null
    }
    default:
      throw new DecodeError(`proto: cannot read a value of type ${schema.type}`)
  }
}

/** Values of no fixed shape travel as JSON; the few unions of custom resource schemas do not, and cannot be read yet. */
function rawJson(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString("utf8")) as unknown
  } catch (cause) {
    throw new DecodeError("proto: a field that holds JSON holds something else; send the object as JSON", {
      cause,
    })
  }
}

function numbersOf(bytes: Buffer): Record<number, number> {
  const reader = new WireReader(bytes)
  const out: Record<number, number> = {}
  while (reader.next()) {
    if (reader.wire === 0) out[reader.number] = reader.varint()
    else reader.skip()
  }
  return out
}

/** Reads the fields of one message, in order. */
class WireReader {
  readonly #bytes: Buffer
  #at = 0
  number = 0
  wire = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** Moves to the next field's value; false at the end. */
  next(): boolean {
    if (this.atEnd) return false
    const tag = this.varint()
    this.number = Math.floor(tag / 8)
    this.wire = tag & 7
    return true
  }

  /** Exact to 53 bits; negative numbers are in two's complement of 64. */
  varint(): number {
    const bytes = this.#bytes
    let low = 0
    let factor = 1
    for (let i = 0; i < 10; i++) {
      const byte = bytes[this.#at++]
      if (byte === undefined) throw new DecodeError("unexpected EOF")
      // The tenth byte holds the sign bit; from the eighth on a positive number would be beyond 2^53.
      if (i === 9) return Number(BigInt.asIntN(64, this.#big()))
      low += (byte & 0x7f) * factor
      factor *= 128
      if (byte < 0x80) return low
    }
    throw new DecodeError("proto: integer overflow")
  }

  /** The ten bytes before the present place, as a number. */
  #big(): bigint {
    let value = 0n
    for (let i = 9; i >= 0; i--) value = (value << 7n) | BigInt(this.#bytes[this.#at - 10 + i]! & 0x7f)
    return value
  }

  double(): number {
    if (this.#at + 8 > this.#bytes.length) throw new DecodeError("unexpected EOF")
    const value = this.#bytes.readDoubleLE(this.#at)
    this.#at += 8
    return value
  }

  bytes(): Buffer {
    if (this.wire !== 2)
      throw new DecodeError(`proto: wrong wireType = ${this.wire} for field ${this.number}`)
    const length = this.varint()
    const end = this.#at + length
    if (length < 0 || end > this.#bytes.length) throw new DecodeError("unexpected EOF")
    const out = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return out
  }

  skip(): void {
    if (this.wire === 0) this.varint()
    else if (this.wire === 1) this.#at += 8
    else if (this.wire === 2) this.bytes()
    else if (this.wire === 5) this.#at += 4
    else throw new DecodeError(`proto: illegal wireType ${this.wire}`)
    if (this.#at > this.#bytes.length) throw new DecodeError("unexpected EOF")
  }
}
