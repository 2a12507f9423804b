/** Objects that upstream holds as Go structs: their JSON has the fields in the structs' order. */
import type { Schema } from "@knarr/apimachinery"
import type { Obj } from "../object.ts"

const ordered = new WeakSet<object>()

/** Whether the fields' order is meant. */
export function hasOrder(value: object): boolean {
  return ordered.has(value)
}

/** The object with its fields in the order of its published definition; custom resources stay as they are. */
export async function typedFields(obj: Obj): Promise<Obj> {
  const { builtinKind } = await import("../builtin-kinds.ts")
  const schema = builtinKind(obj)?.schema
  if (!schema) return obj
  const { kind, apiVersion, ...rest } = obj
  const out = { kind, apiVersion, ...(arrange(rest, schema) as Obj) }
  ordered.add(out)
  return out
}

function arrange(value: unknown, schema: Schema | undefined): unknown {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map((item) => arrange(item, schema?.items))
  const source = value as Obj
  const keys = Object.keys(source)
  if (!schema?.fields) {
    return Object.fromEntries(keys.toSorted().map((key) => [key, arrange(source[key], schema?.values)]))
  }
  const number = (key: string): number => schema.fields?.get(key)?.proto?.[0] ?? 1e9
  return Object.fromEntries(
    keys
      .toSorted((a, b) => number(a) - number(b))
      .map((key) => [key, arrange(source[key], schema.fields?.get(key)?.schema)]),
  )
}
