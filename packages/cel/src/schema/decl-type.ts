/**
 * Types from schemas, with how large their values can be.
 * Mirrors: apiserver pkg/cel/types.go, pkg/cel/common/schemas.go
 */
import type { StructType } from "../check/scope.ts"
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  structOf,
  timestampType,
  type CelType,
} from "../check/types.ts"
import { escapeName, isReserved } from "./escape.ts"
import { asResource, valuesOf, type CelSchema } from "./schema.ts"

/** A type with what bounds its values. */
export interface DeclType {
  readonly cel: CelType
  /** Of objects, by escaped name. */
  readonly fields?: ReadonlyMap<string, DeclType>
  /** Of lists and maps. */
  readonly item?: DeclType
  readonly key?: DeclType
  /** Characters, items or entries at most. */
  readonly maxElements: number
  /** Of the shortest JSON of a value. */
  readonly minSerializedSize: number
}

/** The largest request. */
const maxRequest = 3 * 1024 * 1024
const longest = maxRequest - 2

const simple = (cel: CelType, minSerializedSize: number, maxElements = 0): DeclType => ({
  cel,
  minSerializedSize,
  maxElements,
})
const keyType = simple(stringType, 2)

/**
 * The type of a schema, undefined when expressions cannot use it. `name` is what its objects are called, in messages
 * too; those within are named after where they are (`selfType.spec`).
 */
export function declTypeOf(schema: CelSchema, name: string, isResource = false): DeclType | undefined {
  if (schema["x-kubernetes-int-or-string"] === true) {
    return simple(dynType, 1, schema.maxLength === undefined ? longest : Math.max(schema.maxLength, 0) * 4)
  }
  const whole = isResource ? asResource(schema) : schema
  switch (whole.type) {
    case "array":
      return listType(whole, name)
    case "object":
      return valuesOf(whole) === undefined ? objectType(whole, name) : mapType(whole, name)
    case "string":
      return textType(whole)
    case "boolean":
      return simple(boolType, 4)
    case "number":
      return simple(doubleType, 1)
    case "integer":
      return simple(intType, 1)
    default:
      return undefined
  }
}

function within(schema: CelSchema, name: string): DeclType | undefined {
  return declTypeOf(schema, name, schema["x-kubernetes-embedded-resource"] === true)
}

function listType({ items, maxItems }: CelSchema, name: string): DeclType | undefined {
  const item = items === undefined ? undefined : within(items, `${name}.@idx`)
  if (item === undefined) return undefined
  const maxElements =
    maxItems === undefined ? Math.trunc(longest / (item.minSerializedSize + 1)) : Math.max(maxItems, 0)
  return { cel: listOf(item.cel), item, maxElements, minSerializedSize: 2 }
}

function mapType(schema: CelSchema, name: string): DeclType | undefined {
  const item = within(valuesOf(schema)!, `${name}.@elem`)
  if (item === undefined) return undefined
  const { maxProperties } = schema
  const maxElements =
    maxProperties === undefined
      ? Math.trunc(longest / (item.minSerializedSize + 6))
      : Math.max(maxProperties, 0)
  return { cel: mapOf(stringType, item.cel), key: keyType, item, maxElements, minSerializedSize: 2 }
}

function objectType({ properties = {}, required = [] }: CelSchema, name: string): DeclType {
  const fields = new Map<string, DeclType>()
  const needed = new Set(required)
  let minSerializedSize = 2
  for (const [property, schema] of Object.entries(properties)) {
    const escaped = escapeName(property)
    const type = within(schema, `${name}.${escaped ?? property}`)
    if (type === undefined) continue
    if (escaped !== undefined) fields.set(escaped, type)
    if (needed.has(property) && schema.default === undefined)
      minSerializedSize += Buffer.byteLength(property) + type.minSerializedSize + 4
  }
  return { cel: structOf(name), fields, maxElements: 0, minSerializedSize }
}

function textType({ format, maxLength, enum: values }: CelSchema): DeclType {
  switch (format) {
    case "byte":
      return simple(bytesType, 2, maxLength === undefined ? longest : Math.max(maxLength, 0))
    case "duration":
      return simple(durationType, 3, 32)
    case "date":
      return simple(timestampType, 12, 12)
    case "date-time":
      return simple(timestampType, 21, 32)
  }
  if (maxLength !== undefined) return simple(stringType, 2, Math.max(maxLength, 0) * 4)
  if (values === undefined || values.length === 0) return simple(stringType, 2, longest)
  return simple(
    stringType,
    2,
    Math.max(0, ...values.map((value) => (typeof value === "string" ? Buffer.byteLength(value) : 0))),
  )
}

/** Every object type in a type, by name: what an environment has to know of it. */
export function structsOf(
  type: DeclType,
  found: Map<string, StructType> = new Map(),
): Map<string, StructType> {
  if (type.item !== undefined) structsOf(type.item, found)
  if (type.fields !== undefined && !found.has(type.cel.name)) {
    const { fields } = type
    const field = (name: string): CelType | undefined =>
      (fields.get(name) ?? (isReserved(name) ? fields.get(`__${name}__`) : undefined))?.cel
    found.set(type.cel.name, { type: type.cel, field })
    for (const inner of fields.values()) structsOf(inner, found)
  }
  return found
}
