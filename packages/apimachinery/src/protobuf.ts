/**
 * Reads the protobuf form of API objects into the plain value that their JSON form would parse to. Some fields that
 * Go writes although they hold nothing come along; `decodeObject` drops them, as it does for JSON.
 * Mirrors: apimachinery pkg/runtime/serializer/protobuf/protobuf.go
 */
import { parseJson, WireError, WireReader } from "@knarr/base"
import { DecodeError } from "./decode.ts"
import { schemaOf, type Field, type Schema } from "./schema.ts"
import { formatMicroTime, formatTime, hasForm } from "./time.ts"

/** What every protobuf body begins with. */
const magic = Buffer.from("k8s\0", "latin1")

export interface ProtobufEnvelope {
  readonly apiVersion: string
  readonly kind: string
  /** The object itself, for {@link decodeProtobuf}. */
  readonly raw: Buffer
}

/** Whether `body` begins as every object in protobuf does. */
export function isProtobufDocument(body: Buffer): boolean {
  return body.length >= magic.length && magic.compare(body, 0, magic.length) === 0
}

/** Opens the envelope around an object. Throws a {@link DecodeError} when it is none. */
export function openProtobufEnvelope(body: Buffer): ProtobufEnvelope {
  if (!isProtobufDocument(body)) {
    throw new DecodeError(
      "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    )
  }
  return reading(() => {
    let apiVersion = ""
    let kind = ""
    let raw: Buffer = Buffer.alloc(0)
    const reader = new WireReader(body, magic.length)
    while (reader.next()) {
      if (reader.number === 2) raw = reader.bytes()
      else if (reader.number === 1) {
        const type = reader.message()
        while (type.next()) {
          if (type.number === 1) apiVersion = type.string()
          else if (type.number === 2) kind = type.string()
          else type.skip()
        }
      } else reader.skip()
    }
    return { apiVersion, kind, raw }
  })
}

/** The value of an object of a built-in shape. Throws a {@link DecodeError} for what is no such message. */
export function decodeProtobuf(schema: Schema, raw: Buffer): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  reading(() => readMessage(planOf(schema), new WireReader(raw), out))
  return out
}

/** What `read` returns; a client is told of bytes that are no protobuf as of any body that cannot be decoded. */
function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof WireError) throw new DecodeError(thrown.message, { cause: thrown })
    throw thrown
  }
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

function readMessage(plan: Plan, reader: WireReader, out: Record<string, unknown>): void {
  while (reader.next()) {
    const entry = plan.get(reader.number)
    if (entry === undefined) reader.skip()
    else if (isPlan(entry)) readMessage(entry, reader.message(), out)
    else readField(entry, reader, out)
  }
}

function isPlan(entry: Field | Plan): entry is Plan {
  return entry instanceof Map
}

function readField(field: Field, reader: WireReader, out: Record<string, unknown>): void {
  const { name, schema, wrapped } = field
  if (wrapped) out[name] = readWrapped(schema, reader)
  else if (schema.type === "array") {
    const list = (out[name] ??= []) as unknown[]
    readItem(schema.items!, reader, list)
  } else if (schema.type === "map") {
    const map = (out[name] ??= {}) as Record<string, unknown>
    const entry = reader.message()
    let key = ""
    let value: unknown = emptyOf(schema.values!)
    while (entry.next()) {
      if (entry.number === 1) key = entry.string()
      else if (entry.number === 2) value = readWrapped(schema.values!, entry)
      else entry.skip()
    }
    if (key !== "__proto__") map[key] = value
  } else {
    const value = readValue(schema, reader)
    // Go's JSON does not have it, and what is inside of values of no fixed shape is not decoded again.
    if (!field.omitZero || (value !== "" && value !== 0 && value !== false)) out[name] = value
  }
}

/** Lists of numbers may be packed. */
function readItem(items: Schema, reader: WireReader, list: unknown[]): void {
  const isNumber = items.type === "integer" || items.type === "boolean"
  if (isNumber && reader.wire === 2) {
    const packed = reader.packed(0)
    while (!packed.atEnd) list.push(items.type === "boolean" ? packed.int64() !== 0 : packed.int64())
  } else list.push(readValue(items, reader))
}

/** A list that is a map's value, or {@link Field.wrapped}, is the first field of a message. */
function readWrapped(schema: Schema, reader: WireReader): unknown {
  if (schema.type !== "array") return readValue(schema, reader)
  const list: unknown[] = []
  const inner = reader.message()
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
      return reader.string()
    case "bytes":
      return reader.bytes().toString("base64")
    case "integer":
      return reader.int64()
    case "boolean":
      return reader.int64() !== 0
    case "number":
      return reader.double()
    case "object": {
      const out: Record<string, unknown> = {}
      readMessage(planOf(schema), reader.message(), out)
      return out
    }
    case "time":
    case "micro-time": {
      const { 1: seconds = 0, 2: nanos = 0 } = numbersOf(reader.message())
      // Go's zero time is what an absent one becomes.
      if (seconds === 0 && nanos === 0) return null
      const ms = seconds * 1000 + Math.floor(nanos / 1000) / 1000
      if (!hasForm(ms))
        throw new DecodeError(`proto: ${seconds} seconds are beyond the times that can be told`)
      return schema.type === "time" ? formatTime(ms) : formatMicroTime(ms)
    }
    case "quantity": {
      const inner = reader.message()
      let text = "0"
      while (inner.next()) {
        if (inner.number === 1) text = inner.string()
        else inner.skip()
      }
      return text
    }
    case "int-or-string": {
      const inner = reader.message()
      let type = 0
      let number = 0
      let text = ""
      while (inner.next()) {
        if (inner.number === 1) type = inner.int64()
        else if (inner.number === 2) number = inner.int64()
        else if (inner.number === 3) text = inner.string()
        else inner.skip()
      }
      return type === 1 ? text : number
    }
    case "any": {
      if (schema.schemaOr) return readSchemaOr(schema.schemaOr, reader.message())
      const inner = reader.message()
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

/** The unions in the schemas of custom resources. Mirrors: apiextensions pkg/apis/apiextensions/v1/generated.proto */
function readSchemaOr(or: NonNullable<Schema["schemaOr"]>, reader: WireReader): unknown {
  const props = schemaOf("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
  let schema: unknown
  let allows = false
  const list: unknown[] = []
  while (reader.next()) {
    const isSchema = reader.number === (or === "Bool" ? 2 : 1)
    if (isSchema) schema = readValue(props, reader)
    else if (or === "Bool" && reader.number === 1) allows = reader.int64() !== 0
    else if (or === "Array" && reader.number === 2) list.push(readValue(props, reader))
    else if (or === "StringArray" && reader.number === 2) list.push(reader.string())
    else reader.skip()
  }
  return schema ?? (or === "Bool" ? allows : list)
}

/** Values of no fixed shape travel as JSON. */
function rawJson(raw: Buffer): unknown {
  try {
    return parseJson(raw.toString("utf8")) as unknown
  } catch (cause) {
    throw new DecodeError("proto: a field that holds JSON holds something else", { cause })
  }
}

function numbersOf(reader: WireReader): Record<number, number> {
  const out: Record<number, number> = {}
  while (reader.next()) {
    if (reader.wire === 0) out[reader.number] = reader.int64()
    else reader.skip()
  }
  return out
}
