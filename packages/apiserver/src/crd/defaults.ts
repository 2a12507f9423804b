/**
 * What the schema of a custom resource says of fields that are not there, or null.
 * Mirrors: apiextensions pkg/apiserver/schema/defaulting
 */
import type { JSONSchemaProps } from "@knarr/api"
import { deepClone, setOwn } from "@knarr/apimachinery"
import { itemsOf, propertyOf } from "./prune.ts"

type Shape = JSONSchemaProps | undefined

/** A null that the schema does not allow. */
const isWrongNull = (value: unknown, shape: Shape): shape is JSONSchemaProps =>
  value === null && shape !== undefined && shape.nullable !== true

/** Defaults of more than this make an object that no store takes, as does one that has not all of them. In characters. */
const mostText = 3 * 1024 * 1024

interface Default {
  readonly name: string
  readonly property: JSONSchemaProps
  /** Of the name and the value, in characters. */
  readonly length: number
}

const defaultsOf = new WeakMap<JSONSchemaProps, readonly Default[]>()

function lengthOf(name: string, { default: value = null }: JSONSchemaProps): number {
  return JSON.stringify(name).length + JSON.stringify(value).length + 2
}

/** The properties that have a default: few of many, and found once. */
function defaultsIn(shape: JSONSchemaProps): readonly Default[] {
  let found = defaultsOf.get(shape)
  if (!found) {
    found = Object.entries(shape.properties ?? {})
      .filter(([, property]) => property.default !== undefined && property.default !== null)
      .map(([name, property]) => ({ name, property, length: lengthOf(name, property) }))
    defaultsOf.set(shape, found)
  }
  return found
}

/** Sets defaults, in place, at every depth that is there, as long as an object with them can be stored. */
export function defaultCustom(value: unknown, shape: Shape): void {
  setDefaults(value, shape, { left: mostText })
}

function setDefaults(value: unknown, shape: Shape, room: { left: number }): void {
  if (typeof value !== "object" || value === null || !shape || room.left < 0) return
  if (Array.isArray(value)) {
    const items = itemsOf(shape)
    for (const [i, item] of value.entries()) {
      if (isWrongNull(item, items)) {
        room.left -= lengthOf("", items)
        value[i] = deepClone(items.default ?? null)
      }
      setDefaults(value[i], items, room)
    }
    return
  }
  const obj = value as Record<string, unknown>
  for (const { name, property, length } of defaultsIn(shape)) {
    if (room.left < 0) return
    if (Object.hasOwn(obj, name) && !isWrongNull(obj[name], property)) continue
    room.left -= length
    setOwn(obj, name, deepClone(property.default))
  }
  for (const name of Object.keys(obj)) {
    const property = propertyOf(shape, name)?.shape
    const named = shape.properties !== undefined && Object.hasOwn(shape.properties, name)
    if (!named && isWrongNull(obj[name], property)) {
      room.left -= lengthOf(name, property)
      setOwn(obj, name, deepClone(property.default ?? null))
    }
    setDefaults(obj[name], property, room)
  }
}

/** Removes, in place, nulls that are neither allowed nor have a default. */
export function pruneNulls(value: unknown, shape: Shape): void {
  if (typeof value !== "object" || value === null) return
  if (Array.isArray(value)) {
    for (const item of value) pruneNulls(item, itemsOf(shape))
    return
  }
  const obj = value as Record<string, unknown>
  for (const name of Object.keys(obj)) {
    const property = shape && propertyOf(shape, name)?.shape
    const without = property?.default === undefined || property.default === null
    if (isWrongNull(obj[name], property) && without) delete obj[name]
    else pruneNulls(obj[name], property)
  }
}
