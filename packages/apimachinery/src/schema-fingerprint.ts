/** A short text that differs for shapes that differ in what is stored: fields, their types, defaults and empty values. */
import { createHash } from "node:crypto"
import type { Field, Schema } from "./schema.ts"

/** A hash of everything that decoding and defaulting make of a shape, at every depth; `more` goes into it. */
export function schemaFingerprint(schema: Schema, more: string): string {
  const numbers = new Map<Schema, number>([[schema, 0]])
  let text = more
  // Shapes refer to one another in circles: each is written once, and others say its number.
  for (const one of numbers.keys()) text += describe(one, (inner) => numberOf(numbers, inner))
  return createHash("sha256").update(text).digest("base64url")
}

function numberOf(numbers: Map<Schema, number>, schema: Schema): number {
  let number = numbers.get(schema)
  if (number === undefined) numbers.set(schema, (number = numbers.size))
  return number
}

function describe(schema: Schema, refer: (schema: Schema) => number): string {
  const { type, fields, values, items, preserveUnknown } = schema
  let text = `\n${type}${preserveUnknown ? "*" : ""}`
  if (values) text += `{${refer(values)}}`
  if (items) text += `[${refer(items)}]`
  for (const field of fields?.values() ?? []) text += `;${describeField(field)}:${refer(field.schema)}`
  return text
}

function describeField(field: Field): string {
  const { name, required, omitZero, printNull, omitEmpty } = field
  const flags = (required ? 1 : 0) + (omitZero ? 2 : 0) + (printNull ? 4 : 0) + (omitEmpty ? 8 : 0)
  const given = field.default === undefined ? "" : `=${JSON.stringify(field.default)}`
  return `${JSON.stringify(name)}${flags}${given}`
}
