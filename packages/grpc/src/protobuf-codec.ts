/**
 * A protobuf codec driven by the compact tables that tools/gen writes. A message is compiled on its first use.
 *
 * Decoding fills every scalar, list and map with its default, so that only sub-messages can be absent. 64-bit
 * integers are numbers: exact to 2^53, so a time in nanoseconds is exact to a quarter of a microsecond.
 */
import { WireReader, type WireType, WireWriter } from "@knarr/base"

/** What a caller may pass where a message is sent: any field may be left out, at any depth, and bytes may be text. */
export type MessageInit<T> = T extends Uint8Array
  ? T | string
  : T extends readonly (infer Item)[]
    ? readonly MessageInit<Item>[]
    : T extends object
      ? { readonly [K in keyof T]?: MessageInit<T[K]> | undefined }
      : T

export interface Codec<Messages> {
  encode<Name extends keyof Messages & string>(name: Name, value: MessageInit<Messages[Name]>): Buffer
  /** Throws a `WireError` when `bytes` is no such message. */
  decode<Name extends keyof Messages & string>(name: Name, bytes: Uint8Array): Messages[Name]
}

/** A codec of the messages in `tables`; see tools/gen/rpc.ts for the tables' form. */
export function createCodec<Messages>(
  tables: Readonly<Record<string, string>>,
  enums: Readonly<Record<string, string>>,
): Codec<Messages> {
  const compiler = new Compiler(tables, enums)
  return {
    encode(name, value) {
      const writer = new WireWriter()
      compiler.message(name).write(writer, value as Fields)
      return writer.finish()
    },
    decode(name, bytes) {
      return compiler.message(name).read(new WireReader(bytes)) as Messages[typeof name]
    },
  }
}

type Fields = Record<string, unknown>

/** How one value is written and read, without its tag. */
interface ValueType {
  readonly wireType: WireType
  /** A repeated field of this type may come in one length-delimited run. */
  readonly packable: boolean
  /** Made anew for each message; undefined where a missing value stays undefined. */
  readonly missing: unknown
  isDefault(value: unknown): boolean
  write(writer: WireWriter, value: unknown): void
  read(reader: WireReader): unknown
}

interface Field {
  readonly name: string
  readonly number: number
  readonly kind: "single" | "presence" | "list" | "map"
  readonly value: ValueType
  readonly key: ValueType | undefined
}

class Message {
  readonly #compile: () => Field[]
  #fields: Field[] | undefined
  #byNumber: (Field | undefined)[] = []

  constructor(compile: () => Field[]) {
    this.#compile = compile
  }

  #all(): Field[] {
    if (!this.#fields) {
      this.#fields = this.#compile()
      for (const field of this.#fields) this.#byNumber[field.number] = field
    }
    return this.#fields
  }

  write(writer: WireWriter, message: Fields): void {
    for (const field of this.#all()) {
      const value = message[field.name]
      if (value === undefined || value === null) continue
      switch (field.kind) {
        case "single":
          if (field.value.isDefault(value)) break
          writer.tag(field.number, field.value.wireType)
          field.value.write(writer, value)
          break
        case "presence":
          writer.tag(field.number, field.value.wireType)
          field.value.write(writer, value)
          break
        case "list":
          writeList(writer, field, value as unknown[])
          break
        case "map":
          writeMap(writer, field, value as Fields)
          break
      }
    }
  }

  read(reader: WireReader): Fields {
    const message: Fields = {}
    for (const field of this.#all()) {
      if (field.kind === "list") message[field.name] = []
      else if (field.kind === "map") message[field.name] = {}
      else if (field.kind === "single" && field.value.missing !== undefined)
        message[field.name] = field.value.missing
    }
    while (reader.next()) {
      const field = this.#byNumber[reader.number]
      if (field) readField(reader, message, field)
      else reader.skip()
    }
    return message
  }
}

function writeList(writer: WireWriter, field: Field, values: readonly unknown[]): void {
  if (values.length === 0) return
  if (field.value.packable) {
    writer.tag(field.number, 2)
    writer.delimited(() => {
      for (const value of values) field.value.write(writer, value)
    })
    return
  }
  for (const value of values) {
    writer.tag(field.number, field.value.wireType)
    field.value.write(writer, value)
  }
}

function writeMap(writer: WireWriter, field: Field, entries: Fields): void {
  for (const key in entries) {
    const value = entries[key]
    if (value === undefined) continue
    writer.tag(field.number, 2)
    writer.delimited(() => {
      writer.tag(1, field.key!.wireType)
      field.key!.write(writer, field.key!.wireType === 2 ? key : Number(key))
      writer.tag(2, field.value.wireType)
      field.value.write(writer, value)
    })
  }
}

function readField(reader: WireReader, message: Fields, field: Field): void {
  if (field.kind === "map") {
    const entry = reader.message()
    let key = ""
    let value = field.value.missing
    while (entry.next()) {
      if (entry.number === 1) key = String(field.key!.read(entry))
      else if (entry.number === 2) value = field.value.read(entry)
      else entry.skip()
    }
    const entries = message[field.name] as Fields
    if (key === "__proto__")
      Object.defineProperty(entries, key, { value, enumerable: true, configurable: true, writable: true })
    else entries[key] = value
  } else if (field.kind === "list") {
    const list = message[field.name] as unknown[]
    if (reader.wire === 2 && field.value.packable) {
      const packed = reader.packed(field.value.wireType)
      while (!packed.atEnd) list.push(field.value.read(packed))
    } else list.push(field.value.read(reader))
  } else message[field.name] = field.value.read(reader)
}

class Compiler {
  readonly #tables: Readonly<Record<string, string>>
  readonly #enums: Readonly<Record<string, string>>
  readonly #messages = new Map<string, Message>()
  readonly #types = new Map<string, ValueType>()

  constructor(tables: Readonly<Record<string, string>>, enums: Readonly<Record<string, string>>) {
    this.#tables = tables
    this.#enums = enums
  }

  message(name: string): Message {
    let message = this.#messages.get(name)
    if (!message) {
      const table = this.#tables[name]
      if (table === undefined) throw new Error(`Cannot find the message "${name}"`)
      message = new Message(() => (table === "" ? [] : table.split(" ").map((word) => this.#field(word))))
      this.#messages.set(name, message)
    }
    return message
  }

  #field(word: string): Field {
    const [name, number, type] = word.split(":") as [string, string, string]
    const base = { name, number: Number(number), key: undefined }
    if (type.startsWith("[]")) return { ...base, kind: "list", value: this.#type(type.slice(2)) }
    if (type.startsWith("{")) {
      const [key, value] = type.slice(1, -1).split(",") as [string, string]
      return { ...base, kind: "map", key: this.#type(key), value: this.#type(value) }
    }
    if (type.endsWith("?")) return { ...base, kind: "presence", value: this.#type(type.slice(0, -1)) }
    const kind = type in this.#tables ? "presence" : "single"
    return { ...base, kind, value: this.#type(type) }
  }

  #type(name: string): ValueType {
    let type = scalarTypes[name] ?? this.#types.get(name)
    if (!type) {
      type = name in this.#enums ? enumType(this.#enums[name]!) : messageType(this.message(name))
      this.#types.set(name, type)
    }
    return type
  }
}

function enumType(table: string): ValueType {
  const byName = new Map<string, number>()
  const byNumber = new Map<number, string>()
  for (const word of table.split(" ")) {
    const [name, number] = word.split(":") as [string, string]
    byName.set(name, Number(number))
    if (!byNumber.has(Number(number))) byNumber.set(Number(number), name)
  }
  return {
    wireType: 0,
    packable: true,
    missing: byNumber.get(0),
    isDefault: (value) => byName.get(value as string) === 0,
    write: (writer, value) => writer.int64(byName.get(value as string) ?? Number(value)),
    read(reader) {
      const number = reader.int64()
      return byNumber.get(number) ?? String(number)
    },
  }
}

function messageType(message: Message): ValueType {
  return {
    wireType: 2,
    packable: false,
    missing: undefined,
    isDefault: () => false,
    write: (writer, value) => writer.delimited(() => message.write(writer, value as Fields)),
    read: (reader) => message.read(reader.message()),
  }
}

function numberType(
  write: (writer: WireWriter, value: number) => void,
  read: (reader: WireReader) => number,
  wireType: WireType = 0,
): ValueType {
  return {
    wireType,
    packable: true,
    missing: 0,
    isDefault: (value) => value === 0,
    write: (writer, value) => write(writer, value as number),
    read,
  }
}

const varint = numberType(
  (w, v) => w.int64(v),
  (r) => r.int64(),
)
const unsigned = numberType(
  (w, v) => w.int64(v),
  (r) => r.uint64(),
)

const scalarTypes: Readonly<Record<string, ValueType>> = {
  int32: numberType(
    (w, v) => w.int64(v),
    (r) => r.int64() | 0,
  ),
  uint32: numberType(
    (w, v) => w.int64(v),
    (r) => r.uint32(),
  ),
  int64: varint,
  uint64: unsigned,
  double: numberType(
    (w, v) => w.double(v),
    (r) => r.double(),
    1,
  ),
  float: numberType(
    (w, v) => w.float(v),
    (r) => r.float(),
    5,
  ),
  bool: {
    wireType: 0,
    packable: true,
    missing: false,
    isDefault: (value) => value === false,
    write: (writer, value) => writer.int64(value ? 1 : 0),
    read: (reader) => reader.uint64() !== 0,
  },
  string: {
    wireType: 2,
    packable: false,
    missing: "",
    isDefault: (value) => value === "",
    write: (writer, value) => writer.string(value as string),
    read: (reader) => reader.string(),
  },
  bytes: {
    wireType: 2,
    packable: false,
    missing: new Uint8Array(0),
    isDefault: (value) => (value as Uint8Array | string).length === 0,
    write: (writer, value) => {
      if (typeof value === "string") writer.string(value)
      else writer.bytes(value as Uint8Array)
    },
    read: (reader) => reader.bytes(),
  },
}
