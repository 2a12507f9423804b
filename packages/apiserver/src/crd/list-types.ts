/**
 * Lists that are sets or maps hold nothing twice. Mirrors: apiextensions pkg/apiserver/schema/listtype/validation.go
 */
import type { JSONSchemaProps } from "@knarr/api"
import { field, type FieldError } from "@knarr/apimachinery"
import { maxProblems } from "./check-result.ts"
import { itemsOf, propertyOf } from "./prune.ts"

type Shape = JSONSchemaProps | undefined

/** The items that a set, or the list of keys of a map, has more than once: the second of each. */
export function validateListTypes(value: unknown, shape: Shape, path = ""): FieldError[] {
  if (typeof value !== "object" || value === null || !shape) return []
  const out: FieldError[] = []
  if (Array.isArray(value)) {
    const type = shape["x-kubernetes-list-type"]
    if (type === "set")
      for (const i of repeated(value).slice(0, maxProblems))
        out.push(field.duplicate(field.index(path, i), value[i]))
    if (type === "map") out.push(...repeatedKeys(value, shape["x-kubernetes-list-map-keys"] ?? [], path))
    const items = itemsOf(shape)
    for (const [i, item] of value.entries()) out.push(...validateListTypes(item, items, field.index(path, i)))
    return out
  }
  for (const [name, inner] of Object.entries(value)) {
    const named = shape.properties !== undefined && Object.hasOwn(shape.properties, name)
    const at = named ? field.child(path, name) : field.key(path, name)
    out.push(...validateListTypes(inner, propertyOf(shape, name)?.shape, at))
  }
  return out
}

function repeatedKeys(list: readonly unknown[], names: readonly string[], path: string): FieldError[] {
  const wrong = list.findIndex((item) => item !== null && (typeof item !== "object" || Array.isArray(item)))
  if (wrong >= 0)
    return [
      field.invalid(field.index(path, wrong), list[wrong], "must be an object for an array of list-type map"),
    ]
  const keys = list.map((item) => {
    const from = (item ?? {}) as Record<string, unknown>
    return Object.fromEntries(
      names.filter((name) => Object.hasOwn(from, name)).map((name) => [name, from[name]]),
    )
  })
  return repeated(keys)
    .slice(0, maxProblems)
    .map((i) => field.duplicate(field.index(path, i), keys[i]))
}

function repeated(list: readonly unknown[]): number[] {
  const seen = new Map<string, number>()
  const out: number[] = []
  for (const [i, item] of list.entries()) {
    const text = canonical(item)
    const times = seen.get(text) ?? 0
    if (times === 1) out.push(i)
    seen.set(text, times + 1)
  }
  return out
}

/** The same text for equal values, whatever the order of their fields. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
