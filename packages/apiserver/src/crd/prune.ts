/**
 * Takes out of a custom resource what its schema does not have. Mirrors: apiextensions pkg/apiserver/schema/pruning
 */
import type { JSONSchemaProps } from "@knarr/api"

type Shape = JSONSchemaProps | undefined

const metaFields = new Set(["apiVersion", "kind", "metadata"])

/** The schema of a list's items. */
export function itemsOf(shape: Shape): Shape {
  const items = shape?.items
  return Array.isArray(items) ? undefined : items
}

/** The schema of a property, named or not; undefined for one that the shape does not have. */
export function propertyOf(shape: JSONSchemaProps, name: string): { shape: Shape } | undefined {
  const { properties, additionalProperties: more } = shape
  if (properties && Object.hasOwn(properties, name)) return { shape: properties[name] }
  if (more === undefined || more === false) return undefined
  return { shape: more === true ? undefined : more }
}

/** Removes unknown fields in place; returns their paths (`spec.foo`, `spec.items[0].bar`), sorted. `resource`: of a whole object. */
export function pruneCustom(obj: Record<string, unknown>, shape: JSONSchemaProps, resource = true): string[] {
  const removed: string[] = []
  prune(obj, shape, "", removed, resource)
  return removed.sort()
}

function prune(value: unknown, shape: Shape, path: string, removed: string[], resource: boolean): void {
  if (typeof value !== "object" || value === null) return
  const keeps = shape?.["x-kubernetes-preserve-unknown-fields"] === true
  if (Array.isArray(value)) {
    // Within what is kept, the items of a list are as free as it is.
    const items = itemsOf(shape)
    for (const [i, item] of value.entries())
      if (keeps) keep(item, items, `${path}[${i}]`, removed)
      else prune(item, items, `${path}[${i}]`, removed, false)
    return
  }
  pruneFields(value as Record<string, unknown>, shape, path, removed, { resource, keeps })
}

function keep(value: unknown, shape: Shape, path: string, removed: string[]): void {
  if (typeof value !== "object" || value === null || !shape) return
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) keep(item, itemsOf(shape), `${path}[${i}]`, removed)
    return
  }
  pruneFields(value as Record<string, unknown>, shape, path, removed, { resource: false, keeps: true })
}

function pruneFields(
  value: Record<string, unknown>,
  shape: Shape,
  path: string,
  removed: string[],
  { resource, keeps }: { readonly resource: boolean; readonly keeps: boolean },
): void {
  const embedded = resource || shape?.["x-kubernetes-embedded-resource"] === true
  for (const name of Object.keys(value)) {
    if (embedded && metaFields.has(name)) continue
    const at = path === "" ? name : `${path}.${name}`
    const property = shape && propertyOf(shape, name)
    if (property) prune(value[name], property.shape, at, removed, false)
    else if (!keeps) {
      removed.push(at)
      delete value[name]
    }
  }
}
