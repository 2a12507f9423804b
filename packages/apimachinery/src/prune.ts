/** Fields that a shape does not have are removed; everything else stays as it is. Mirrors: apiextensions structural pruning */
import type { Schema } from "./schema.ts"

/** The result of {@link pruneUnknown}. */
export interface Pruned<T> {
  /** The value itself when there was nothing to remove, else a copy that shares what did not change. */
  readonly value: T
  /** The paths of what was removed: `spec.foo`, `spec.items[0].bar`. */
  readonly removed: readonly string[]
}

/** Removes unknown fields at every depth. Types are not checked; the value is not changed. */
export function pruneUnknown<T>(schema: Schema, value: T): Pruned<T> {
  const removed: string[] = []
  return { value: prune(schema, value, "", removed) as T, removed }
}

function prune(schema: Schema, value: unknown, path: string, removed: string[]): unknown {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return pruneArray(schema.items, value, path, removed)
  switch (schema.type) {
    case "object":
      return pruneObject(schema, value as Record<string, unknown>, path, removed)
    case "map":
      return pruneMap(schema.values, value as Record<string, unknown>, path, removed)
    default:
      return value
  }
}

function pruneArray(items: Schema | undefined, value: unknown[], path: string, removed: string[]): unknown {
  if (!items) return value
  let out: unknown[] | undefined
  for (let i = 0; i < value.length; i++) {
    const item = prune(items, value[i], `${path}[${i}]`, removed)
    if (item !== value[i]) (out ??= value.slice())[i] = item
  }
  return out ?? value
}

function pruneObject(
  schema: Schema,
  value: Record<string, unknown>,
  path: string,
  removed: string[],
): unknown {
  let out: Record<string, unknown> | undefined
  for (const name in value) {
    const here = path === "" ? name : `${path}.${name}`
    const field = schema.fields?.get(name)
    if (!field) {
      if (schema.preserveUnknown) continue
      out ??= { ...value }
      delete out[name]
      removed.push(here)
      continue
    }
    const item = prune(field.schema, value[name], here, removed)
    if (item !== value[name]) (out ??= { ...value })[name] = item
  }
  return out ?? value
}

function pruneMap(
  values: Schema | undefined,
  value: Record<string, unknown>,
  path: string,
  removed: string[],
): unknown {
  if (!values) return value
  let out: Record<string, unknown> | undefined
  for (const name in value) {
    const item = prune(values, value[name], path === "" ? name : `${path}.${name}`, removed)
    if (item !== value[name]) (out ??= { ...value })[name] = item
  }
  return out ?? value
}
