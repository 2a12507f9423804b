/**
 * What becomes of empty lists and maps when an object is stored: nothing and an empty list are one to protobuf, in which
 * Kubernetes stores its own kinds, so a field that Go always prints comes back as null. Until then the two differ (to
 * apply and to managed fields), so this is done last.
 */
import type { Field, Schema } from "./schema.ts"

type Fix = (value: unknown) => unknown

/** Undefined: no such field is in the shape. */
const fixes = new WeakMap<Schema, Fix | undefined>()

/** `value`, of shape `schema`, with null in place of lists and maps that hold nothing and are always printed. Changes copies only. */
export function nullEmpties<T>(schema: Schema, value: T): T {
  const fix = fixOf(schema)
  return fix ? (fix(value) as T) : value
}

function fixOf(schema: Schema): Fix | undefined {
  if (fixes.has(schema)) return fixes.get(schema)
  let fix: Fix | undefined
  // For a shape within itself.
  fixes.set(schema, (value) => (fix ? fix(value) : value))
  fix = compile(schema)
  fixes.set(schema, fix)
  return fix
}

function compile(schema: Schema): Fix | undefined {
  if (schema.type === "object") return objectFix(schema)
  const inner = schema.type === "array" ? schema.items : schema.type === "map" ? schema.values : undefined
  const fix = inner && fixOf(inner)
  if (!fix) return undefined
  return schema.type === "array" ? listFix(fix) : mapFix(fix)
}

/** Whether Go prints null for the field when it is empty: times are never empty, only unset. */
function isPrinted(field: Field): boolean {
  return field.printNull === true && (field.schema.type === "array" || field.schema.type === "map")
}

function objectFix(schema: Schema): Fix | undefined {
  const fields: { name: string; printed: boolean; fix: Fix | undefined }[] = []
  for (const field of schema.fields?.values() ?? []) {
    const printed = isPrinted(field)
    const fix = fixOf(field.schema)
    if (printed || fix) fields.push({ name: field.name, printed, fix })
  }
  if (fields.length === 0) return undefined
  return (value) => {
    if (typeof value !== "object" || value === null) return value
    let out = value as Record<string, unknown>
    for (const { name, printed, fix } of fields) {
      const before = out[name]
      const after = printed && isEmpty(before) ? null : fix && before !== undefined ? fix(before) : before
      if (after === before) continue
      if (out === value) out = { ...out }
      out[name] = after
    }
    return out
  }
}

function listFix(fix: Fix): Fix {
  return (value) => {
    if (!Array.isArray(value)) return value
    const after = value.map(fix)
    return after.some((item, at) => item !== value[at]) ? after : value
  }
}

function mapFix(fix: Fix): Fix {
  return (value) => {
    if (typeof value !== "object" || value === null) return value
    const entries = Object.entries(value).map(([key, item]) => [key, item, fix(item)] as const)
    if (entries.every(([, before, after]) => before === after)) return value
    return Object.fromEntries(entries.map(([key, , after]) => [key, after]))
  }
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true
  return Array.isArray(value)
    ? value.length === 0
    : typeof value === "object" && Object.keys(value).length === 0
}
