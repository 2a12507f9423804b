/** The order in which Go prints the fields of a value. */
import type { Schema } from "./schema.ts"

/**
 * A copy of a JSON value with the fields of its structs as Go declares them, and those of maps by name. What `touched` has,
 * too, was a map when Go printed it.
 */
export function inGoOrder(schema: Schema | undefined, value: unknown, touched?: unknown): unknown {
  if (Array.isArray(value)) {
    const at = touched as Record<number, unknown> | undefined
    return value.map((item, i) => inGoOrder(schema?.items, item, at?.[i]))
  }
  if (typeof value !== "object" || value === null) return value
  const from = value as Record<string, unknown>
  const isTouched = typeof touched === "object" && touched !== null
  const names = Object.keys(from)
  const { order } = schema ?? {}
  if (isTouched || schema?.type === "map" || (schema?.fields && !order)) names.sort()
  else if (order) names.sort((a, b) => order.indexOf(a) - order.indexOf(b))
  const inner = (name: string): Schema | undefined => schema?.fields?.get(name)?.schema ?? schema?.values
  return Object.fromEntries(
    names.map((name) => [
      name,
      inGoOrder(inner(name), from[name], isTouched ? (touched as Record<string, unknown>)[name] : undefined),
    ]),
  )
}
