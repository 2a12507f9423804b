/**
 * Objects as values, read through their schema: a field becomes a value when it is looked at and not before.
 * Mirrors: apiserver pkg/cel/common/valuesunstructured.go
 */
import { unknownType } from "../check/types.ts"
import { parseTimestamp } from "../run/time.ts"
import {
  ArrayList,
  CelError,
  CelList,
  CelMap,
  Double,
  Duration,
  ObjectValue,
  Timestamp,
  equal,
  maybeNoSuchOverload,
  toInt,
  type Value,
} from "../run/values.ts"
import { escapeName, unescapeName } from "./escape.ts"
import { KeyedList, SetList } from "./keyed-lists.ts"
import { lenientDuration, lenientTimestamp } from "./lenient-time.ts"
import { asResource, valuesOf, type CelSchema } from "./schema.ts"

const invalid = (message: string): CelError => new CelError(`invalid data, ${message}`)
const isObject = (raw: unknown): raw is Readonly<Record<string, unknown>> =>
  typeof raw === "object" && raw !== null && !Array.isArray(raw)

/** How Go calls the type of a decoded value. */
function goType(raw: unknown): string {
  if (Array.isArray(raw)) return "[]interface {}"
  if (typeof raw === "number") return Number.isInteger(raw) ? "int64" : "float64"
  if (typeof raw === "boolean") return "bool"
  return typeof raw === "string" ? "string" : "map[string]interface {}"
}

/** A decoded value as its schema says. Data that is not of the schema is an error. */
export function schemaValue(raw: unknown, schema: CelSchema): Value {
  if (raw === null || raw === undefined)
    return schema.nullable === true ? null : invalid("got null for schema with nullable=false")
  if (schema["x-kubernetes-int-or-string"] === true) {
    if (typeof raw === "string") return raw
    return Number.isInteger(raw)
      ? intValue(raw as number)
      : invalid("expected XIntOrString value to be either a string or integer")
  }
  switch (schema.type) {
    case "object":
      if (!isObject(raw)) return invalid("expected a map for the provided schema with type=object")
      return new SchemaMap(
        raw,
        schema["x-kubernetes-embedded-resource"] === true ? asResource(schema) : schema,
      )
    case "array":
      return listValue(raw, schema)
    case "string":
      return typeof raw === "string"
        ? textValue(raw, schema.format)
        : invalid(`expected string, got ${goType(raw)}`)
    case "number":
      return typeof raw === "number" ? new Double(raw) : invalid(`expected float, got ${goType(raw)}`)
    case "integer":
      return Number.isInteger(raw) ? intValue(raw as number) : invalid(`expected int, got ${goType(raw)}`)
    case "boolean":
      return typeof raw === "boolean" ? raw : invalid(`expected bool, got ${goType(raw)}`)
  }
  if (schema["x-kubernetes-preserve-unknown-fields"] === true) return new Preserved(raw)
  return new CelError(
    `invalid type, expected object, array, number, integer, boolean or string, or no type with x-kubernetes-int-or-string or x-kubernetes-preserve-unknown-fields is true, got ${schema.type ?? ""}`,
  )
}

/** Integers beyond 2^53 have lost digits in decoding already. */
function intValue(raw: number): Value {
  return Number.isSafeInteger(raw) ? raw : (toInt(BigInt(raw)) ?? invalid("expected int, got float64"))
}

function listValue(raw: unknown, schema: CelSchema): Value {
  if (!Array.isArray(raw)) return invalid("expected an array for the provided schema with type=array")
  const { items } = schema
  if (items === undefined) return new CelError("invalid array type, expected Items with a non-empty Schema")
  const list = new SchemaList(raw, items)
  switch (schema["x-kubernetes-list-type"]) {
    case undefined:
    case "":
    case "atomic":
      return list
    case "map":
      return new KeyedList(
        list,
        (schema["x-kubernetes-list-map-keys"] ?? []).map((key) => escapeName(key) ?? key),
      )
    case "set":
      return new SetList(list)
    default:
      return new CelError(
        `invalid x-kubernetes-list-type, expected 'map', 'set' or 'atomic' but got ${schema["x-kubernetes-list-type"]}`,
      )
  }
}

function textValue(text: string, format: string | undefined): Value {
  switch (format) {
    case "duration": {
      const nanos = lenientDuration(text)
      return nanos === undefined
        ? new CelError(`Invalid duration ${text}: unable to parse ${text} as duration`)
        : new Duration(nanos)
    }
    case "date":
    case "date-time": {
      const time = format === "date" ? parseTimestamp(`${text}T00:00:00Z`) : lenientTimestamp(text)
      return time === undefined
        ? new CelError(`Invalid ${format} formatted string ${text}: cannot parse`)
        : new Timestamp(time.seconds, time.nanos, time.offset)
    }
    case "byte":
      return Buffer.from(text, "base64")
    default:
      return text
  }
}

class SchemaList extends CelList {
  readonly raw: readonly unknown[]
  readonly #items: CelSchema
  constructor(raw: readonly unknown[], items: CelSchema) {
    super()
    this.raw = raw
    this.#items = items
  }
  get size(): number {
    return this.raw.length
  }
  get(index: number): Value {
    return schemaValue(this.raw[index], this.#items)
  }
  override equalTo(other: Value): Value {
    if (!(other instanceof CelList)) return maybeNoSuchOverload(other)
    if (this.size !== other.size) return false
    for (let i = 0; i < this.size; i++) {
      const same = equal(this.get(i), other.get(i))
      if (same !== true) return same
    }
    return true
  }
  override contains(value: Value): Value {
    let error: CelError | undefined
    for (let i = 0; i < this.size; i++) {
      const same = equal(this.get(i), value)
      if (same === true) return true
      if (same instanceof CelError) error ??= same
    }
    return error ?? false
  }
  override add(other: Value): Value {
    if (!(other instanceof CelList)) return maybeNoSuchOverload(other)
    const all = (list: CelList): Value[] => Array.from({ length: list.size }, (_, i) => list.get(i))
    return new ArrayList([...all(this), ...all(other)])
  }
}

class SchemaMap extends CelMap {
  readonly raw: Readonly<Record<string, unknown>>
  readonly #schema: CelSchema
  #names: string[] | undefined
  constructor(raw: Readonly<Record<string, unknown>>, schema: CelSchema) {
    super()
    this.raw = raw
    this.#schema = schema
  }

  get #properties(): readonly string[] {
    return (this.#names ??= Object.keys(this.raw))
  }
  get size(): number {
    return this.#properties.length
  }

  #schemaOf(name: string): CelSchema | undefined {
    const { properties } = this.#schema
    if (properties !== undefined) return Object.hasOwn(properties, name) ? properties[name] : undefined
    return valuesOf(this.#schema)
  }

  find(key: Value): Value | undefined {
    if (typeof key !== "string") return maybeNoSuchOverload(key)
    const object = this.#schema.properties !== undefined
    const name = object ? unescapeName(key) : key
    if (name === undefined || !Object.hasOwn(this.raw, name)) return undefined
    const value = this.raw[name]
    if (object && (value === null || value === undefined)) return undefined
    const schema = this.#schemaOf(name)
    return schema === undefined ? undefined : schemaValue(value, schema)
  }

  keys(): Value[] {
    const object = this.#schema.properties !== undefined
    return this.#properties
      .filter((name) => this.#schemaOf(name) !== undefined)
      .map((name) => (object ? (escapeName(name) ?? name) : name))
  }

  override equalTo(other: Value): Value {
    if (!(other instanceof CelMap)) return maybeNoSuchOverload(other)
    if (this.size !== other.size) return false
    for (const name of this.#properties) {
      if (this.#schemaOf(name) === undefined) {
        if (!(other instanceof SchemaMap)) return maybeNoSuchOverload(other)
        if (Object.hasOwn(other.raw, name) && !sameJson(this.raw[name], other.raw[name])) return false
        continue
      }
      const mine = this.find(name)
      const theirs = other.find(name)
      if ((mine === undefined) !== (theirs === undefined)) return false
      if (mine === undefined) continue
      const same = equal(mine, theirs!)
      if (same !== true) return same
    }
    return true
  }
}

/** What a schema leaves open: it can be compared and nothing else. */
class Preserved extends ObjectValue {
  readonly type = unknownType
  readonly raw: unknown
  constructor(raw: unknown) {
    super()
    this.raw = raw
  }
  equalTo(other: Value): Value {
    return sameJson(this.raw, other instanceof Preserved ? other.raw : other)
  }
}

function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]))
  if (!isObject(a) || !isObject(b)) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && sameJson(a[name], b[name]))
  )
}

/** A decoded value without a schema: for variables of type `dyn`. */
export function plainValue(raw: unknown): Value {
  if (raw === undefined || raw === null) return null
  if (typeof raw === "number") return Number.isSafeInteger(raw) ? raw : new Double(raw)
  if (Array.isArray(raw)) return new PlainList(raw)
  const prototype: unknown = typeof raw === "object" ? Object.getPrototypeOf(raw) : undefined
  return prototype === Object.prototype || prototype === null
    ? new PlainMap(raw as Record<string, unknown>)
    : (raw as Value)
}

class PlainList extends CelList {
  readonly #raw: readonly unknown[]
  constructor(raw: readonly unknown[]) {
    super()
    this.#raw = raw
  }
  get size(): number {
    return this.#raw.length
  }
  get(index: number): Value {
    return plainValue(this.#raw[index])
  }
}

class PlainMap extends CelMap {
  readonly #raw: Readonly<Record<string, unknown>>
  #names: string[] | undefined
  constructor(raw: Readonly<Record<string, unknown>>) {
    super()
    this.#raw = raw
  }
  get size(): number {
    return this.keys().length
  }
  find(key: Value): Value | undefined {
    return typeof key === "string" && Object.hasOwn(this.#raw, key) && this.#raw[key] !== undefined
      ? plainValue(this.#raw[key])
      : undefined
  }
  keys(): string[] {
    return (this.#names ??= Object.keys(this.#raw).filter((name) => this.#raw[name] !== undefined))
  }
}
