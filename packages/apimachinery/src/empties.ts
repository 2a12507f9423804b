/**
 * What becomes of empty lists and maps when an object is stored or shown. Nothing and an empty list are one to protobuf, in
 * which Kubernetes stores its own kinds, and to Go's JSON: a field that may be left out is, and one that Go always prints
 * comes back as null. Until then the two differ (to validation, apply and managed fields), so this is done last.
 */
import type { Field, Schema } from "./schema.ts"

type Fix = (value: unknown) => unknown

/**
 * `value`, of shape `schema`, as it is stored: without lists and maps that hold nothing, or with null in their place where
 * they are always printed. Changes copies only.
 */
export function settleEmpties<T>(schema: Schema, value: T): T {
  return settle(stored, schema, value)
}

/** As {@link settleEmpties}, as Go prints it before it is stored: what is always printed and empty is so, not null. */
export function printEmpties<T>(schema: Schema, value: T): T {
  return settle(printed, schema, value)
}

/** One way to settle, with what is compiled of it; undefined where no such field is in the shape. */
interface Way {
  /** Whether what is always printed becomes null. */
  isNull(item: unknown): boolean
  readonly fixes: WeakMap<Schema, Fix | undefined>
}

const stored: Way = {
  isNull: (item) => item === undefined || (item !== null && isEmpty(item)),
  fixes: new WeakMap(),
}
const printed: Way = { isNull: (item) => item === undefined, fixes: new WeakMap() }

function settle<T>(way: Way, schema: Schema, value: T): T {
  const fix = fixOf(way, schema)
  return fix ? (fix(value) as T) : value
}

/** Whether Go leaves the field out when it is an empty list or map. */
export function isLeftOutEmpty(field: Field): boolean {
  return isCollection(field) && !isAlwaysPrinted(field)
}

function isAlwaysPrinted(field: Field): boolean {
  return (field.required || field.printNull === true) && !field.omitEmpty
}

function isCollection({ schema: { type } }: Field): boolean {
  return type === "array" || type === "map"
}

/** Whether a list or map holds nothing. */
export function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  for (const _ in value as object) return false
  return true
}

function fixOf(way: Way, schema: Schema): Fix | undefined {
  const { fixes } = way
  if (fixes.has(schema)) return fixes.get(schema)
  let fix: Fix | undefined
  // For a shape within itself.
  fixes.set(schema, (value) => (fix ? fix(value) : value))
  fix = compile(way, schema)
  fixes.set(schema, fix)
  return fix
}

function compile(way: Way, schema: Schema): Fix | undefined {
  if (schema.reader) return undefined
  if (schema.type === "object") return objectFix(way, schema)
  const inner = schema.type === "array" ? schema.items : schema.type === "map" ? schema.values : undefined
  const fix = inner && fixOf(way, inner)
  if (!fix) return undefined
  return schema.type === "array" ? listFix(fix) : mapFix(fix)
}

interface FieldFix {
  readonly name: string
  readonly leftOut: boolean
  readonly fix: Fix | undefined
}

function objectFix(way: Way, schema: Schema): Fix | undefined {
  const fields = new Map<string, FieldFix>()
  const always: string[] = []
  for (const field of schema.fields?.values() ?? []) {
    const { name } = field
    const leftOut = isLeftOutEmpty(field)
    const fix = fixOf(way, field.schema)
    // Times are never empty, only unset.
    if (field.printNull && isCollection(field)) always.push(name)
    if (leftOut || fix) fields.set(name, { name, leftOut, fix })
  }
  if (fields.size === 0 && always.length === 0) return undefined
  return (value) => {
    if (typeof value !== "object" || value === null) return value
    const before = value as Record<string, unknown>
    let out = before
    for (const name in before) {
      const item = before[name]
      if (typeof item !== "object" || item === null) continue
      const field = fields.get(name)
      if (!field) continue
      const isGone = field.leftOut && isEmpty(item)
      const after = isGone || !field.fix ? item : field.fix(item)
      if (!isGone && after === item) continue
      if (out === before) out = { ...before }
      if (isGone) delete out[name]
      else out[name] = after
    }
    for (const name of always) {
      if (!way.isNull(out[name])) continue
      if (out === before) out = { ...before }
      out[name] = null
    }
    return out
  }
}

function listFix(fix: Fix): Fix {
  return (value) => {
    if (!Array.isArray(value)) return value
    let out: unknown[] = value
    for (let i = 0; i < value.length; i++) {
      const after = fix(value[i])
      if (after === value[i]) continue
      if (out === value) out = [...value]
      out[i] = after
    }
    return out
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
