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

/** Sets defaults, in place, at every depth that is there. */
export function defaultCustom(value: unknown, shape: Shape): void {
  if (typeof value !== "object" || value === null || !shape) return
  if (Array.isArray(value)) {
    const items = itemsOf(shape)
    for (const [i, item] of value.entries()) {
      if (isWrongNull(item, items)) value[i] = deepClone(items.default ?? null)
      defaultCustom(value[i], items)
    }
    return
  }
  const obj = value as Record<string, unknown>
  for (const [name, property] of Object.entries(shape.properties ?? {})) {
    if (property.default === undefined || property.default === null) continue
    if (!Object.hasOwn(obj, name) || isWrongNull(obj[name], property))
      setOwn(obj, name, deepClone(property.default))
  }
  for (const name of Object.keys(obj)) {
    const property = propertyOf(shape, name)?.shape
    const named = shape.properties !== undefined && Object.hasOwn(shape.properties, name)
    if (!named && isWrongNull(obj[name], property)) setOwn(obj, name, deepClone(property.default ?? null))
    defaultCustom(obj[name], property)
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
