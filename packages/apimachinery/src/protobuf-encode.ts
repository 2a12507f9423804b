/**
 * Writes API objects in their protobuf form, byte for byte as Go's generated code does: fields in the order of their
 * numbers, plain values also when they are zero, pointers and lists only when there is something, maps by their keys.
 * Mirrors: apimachinery pkg/runtime/serializer/protobuf/protobuf.go, generated.pb.go of each API
 */
import { WireWriter } from "@knarr/base"
import { schemaOf, type Field, type Schema } from "./schema.ts"
import { parseTime } from "./time.ts"

/** What every protobuf document begins with. */
const magic: Buffer = Buffer.from("k8s\0", "latin1")

/** The content encoding and content type of the envelope, which are empty. */
const envelopeEnd = Buffer.from([0x1a, 0, 0x22, 0])

/** Between two documents: the memory of one is used for the next. */
const shared = new WireWriter()

/** The message of a value of a built-in shape. The bytes are the caller's. */
export function encodeProtobuf(schema: Schema, value: object): Buffer {
  shared.reset()
  writeMessage(planOf(schema), value as Values, shared)
  return Buffer.from(shared.finish())
}

/** The message with a field's number and its length before it, as it stands in another message. */
export function encodeProtobufField(number: number, schema: Schema, value: object): Buffer {
  shared.reset()
  shared.tag(number, 2)
  const start = shared.open()
  writeMessage(planOf(schema), value as Values, shared)
  shared.close(start)
  return Buffer.from(shared.finish())
}

/** The envelope (`runtime.Unknown`) up to the object, which takes `length` bytes. */
export function protobufEnvelopeStart(type: { apiVersion: string; kind: string }, length: number): Buffer {
  shared.reset()
  shared.encoded(magic)
  shared.tag(1, 2)
  const start = shared.open()
  shared.tag(1, 2)
  shared.string(type.apiVersion)
  shared.tag(2, 2)
  shared.string(type.kind)
  shared.close(start)
  shared.tag(2, 2)
  shared.int64(length)
  return Buffer.from(shared.finish())
}

/** What follows the object in its envelope. */
export function protobufEnvelopeEnd(): Buffer {
  return envelopeEnd
}

/** A whole document: the envelope and in it the message of `value`, which says its type. */
export function encodeProtobufDocument(
  schema: Schema,
  type: { apiVersion: string; kind: string },
  value: object,
): Buffer {
  const message = encodeProtobuf(schema, value)
  return Buffer.concat([protobufEnvelopeStart(type, message.length), message, envelopeEnd])
}

type Values = Readonly<Record<string, unknown>>

/** One field of a message, or a message whose fields JSON writes inline. */
interface Step {
  readonly name: string
  readonly number: number
  readonly schema: Schema | undefined
  readonly inline: Plan | undefined
  readonly wrapped: boolean
  /** What is written when there is no value. */
  readonly zero: Buffer | undefined
}

interface Plan {
  readonly steps: readonly Step[]
}

interface Level {
  readonly fields: Map<number, Field>
  readonly inline: Map<number, Level>
}

const plans = new WeakMap<Schema, Plan>()

function planOf(schema: Schema): Plan {
  let plan = plans.get(schema)
  if (!plan) {
    const root: Level = { fields: new Map(), inline: new Map() }
    for (const field of schema.fields?.values() ?? []) {
      if (!field.proto) continue
      let level = root
      for (const number of field.proto.slice(0, -1)) {
        let inner = level.inline.get(number)
        if (!inner) level.inline.set(number, (inner = { fields: new Map(), inline: new Map() }))
        level = inner
      }
      level.fields.set(field.proto.at(-1)!, field)
    }
    plans.set(schema, (plan = planLevel(root)))
  }
  return plan
}

function planLevel({ fields, inline }: Level): Plan {
  const steps: Step[] = []
  for (const [number, field] of fields) {
    const { name, schema, wrapped = false } = field
    steps.push({ name, number, schema, inline: undefined, wrapped, zero: zeroOf(number, field) })
  }
  for (const [number, level] of inline)
    steps.push({
      name: "",
      number,
      schema: undefined,
      inline: planLevel(level),
      wrapped: false,
      zero: undefined,
    })
  return { steps: steps.sort((a, b) => a.number - b.number) }
}

/** A field that holds nothing: not written when Go has a pointer, a list, a map or bytes. */
function zeroOf(number: number, { pointer, schema }: Field): Buffer | undefined {
  if (pointer) return undefined
  const writer = new WireWriter()
  writeZero(number, schema, writer)
  const bytes = writer.finish()
  return bytes.length === 0 ? undefined : Buffer.from(bytes)
}

function writeZero(number: number, schema: Schema, out: WireWriter): void {
  switch (schema.type) {
    case "array":
    case "map":
    case "bytes":
      return
    case "string":
      return writeField(number, schema, "", out)
    case "integer":
    case "boolean":
    case "number":
    case "int-or-string":
      return writeField(number, schema, 0, out)
    case "quantity":
      return writeField(number, schema, "0", out)
    case "object":
      return writeField(number, schema, {}, out)
    default:
      // An empty message.
      out.tag(number, 2)
      out.int64(0)
  }
}

function writeMessage({ steps }: Plan, value: Values, out: WireWriter): void {
  for (let i = 0; i < steps.length; i++) {
    const { name, number, schema, inline, wrapped, zero } = steps[i]!
    if (!schema) {
      out.tag(number, 2)
      const start = out.open()
      writeMessage(inline!, value, out)
      out.close(start)
      continue
    }
    const item = value[name]
    if (item === undefined || item === null) {
      if (zero) out.encoded(zero)
    } else if (wrapped) writeWrapped(number, schema, item, out)
    else writeField(number, schema, item, out)
  }
}

/** A list in a message whose first field it is. */
function writeWrapped(number: number, schema: Schema, list: unknown, out: WireWriter): void {
  out.tag(number, 2)
  const start = out.open()
  writeField(1, schema, list, out)
  out.close(start)
}

/** A value with its field's number; a list as often as it has items, a map as often as it has entries. */
function writeField(number: number, schema: Schema, value: unknown, out: WireWriter): void {
  switch (schema.type) {
    case "string":
      out.tag(number, 2)
      out.string(value as string)
      return
    case "integer":
      out.tag(number, 0)
      out.int64(value as number)
      return
    case "boolean":
      out.tag(number, 0)
      out.int64(value ? 1 : 0)
      return
    case "number":
      out.tag(number, 1)
      out.double(value as number)
      return
    case "bytes":
      out.tag(number, 2)
      out.bytes(Buffer.from(value as string, "base64"))
      return
    case "array": {
      const items = value as readonly unknown[]
      for (let i = 0; i < items.length; i++) writeField(number, schema.items!, items[i], out)
      return
    }
    case "map":
      return writeMap(number, schema.values!, value as Values, out)
    default: {
      out.tag(number, 2)
      const start = out.open()
      writeInner(schema, value, out)
      out.close(start)
    }
  }
}

function writeMap(number: number, values: Schema, map: Values, out: WireWriter): void {
  for (const key of sortedKeys(map)) {
    const value = map[key]
    out.tag(number, 2)
    const start = out.open()
    out.tag(1, 2)
    out.string(key)
    // A list that is a map's value is wrapped always.
    if (values.type === "array") writeWrapped(2, values, value ?? [], out)
    else if (value === null) writeZero(2, values, out)
    else writeField(2, values, value, out)
    out.close(start)
  }
}

const surrogate = /[\ud800-\udfff]/

/** In the order of their UTF-8 bytes. */
function sortedKeys(map: Values): string[] {
  const keys = Object.keys(map)
  if (keys.length < 2) return keys
  return keys.some((key) => surrogate.test(key))
    ? keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    : keys.sort()
}

/** What is inside of a message of a shape. */
function writeInner(schema: Schema, value: unknown, out: WireWriter): void {
  switch (schema.type) {
    case "object":
      return writeMessage(planOf(schema), value as Values, out)
    case "time":
    case "micro-time": {
      const ms = parseTime(value as string)
      const seconds = Math.floor(ms / 1000)
      out.tag(1, 0)
      out.int64(seconds)
      out.tag(2, 0)
      out.int64(schema.type === "time" ? 0 : Math.round((ms - seconds * 1000) * 1000) * 1000)
      return
    }
    case "quantity":
      out.tag(1, 2)
      out.string(String(value))
      return
    case "int-or-string": {
      const isText = typeof value === "string"
      out.tag(1, 0)
      out.int64(isText ? 1 : 0)
      out.tag(2, 0)
      out.int64(isText ? 0 : (value as number))
      out.tag(3, 2)
      out.string(isText ? value : "")
      return
    }
    default:
      if (schema.schemaOr) return writeSchemaOr(schema.schemaOr, value, out)
      out.tag(1, 2)
      out.string(JSON.stringify(value))
  }
}

/** The unions in the schemas of custom resources. Mirrors: apiextensions pkg/apis/apiextensions/v1/generated.proto */
function writeSchemaOr(or: NonNullable<Schema["schemaOr"]>, value: unknown, out: WireWriter): void {
  const props = schemaOf("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
  const isSchema = typeof value === "object" && !Array.isArray(value)
  if (or === "Bool") {
    out.tag(1, 0)
    // A schema allows what it describes.
    out.int64(value === false ? 0 : 1)
    if (isSchema) writeField(2, props, value, out)
  } else if (isSchema) writeField(1, props, value, out)
  else {
    const items = value as readonly unknown[]
    for (const item of items) writeField(2, or === "Array" ? props : schemaOf("string"), item, out)
  }
}
