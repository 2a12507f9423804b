/**
 * Schemas of built-in kinds as expressions see them.
 * Mirrors: apiserver pkg/cel/openapi
 */
import type { Field, Schema } from "@knarr/apimachinery"
import type { CelSchema } from "./schema.ts"

const scalars: Readonly<Partial<Record<Schema["type"], CelSchema>>> = {
  bytes: { type: "string", format: "byte" },
  time: { type: "string", format: "date-time" },
  "micro-time": { type: "string", format: "date-time" },
  // Published as one of several types: expressions cannot use it.
  quantity: {},
  "int-or-string": { "x-kubernetes-int-or-string": true },
  any: { "x-kubernetes-preserve-unknown-fields": true },
}

const made = new WeakMap<Schema, CelSchema>()

/** The same shape for {@link declTypeOf} and {@link schemaValue}. A type within itself is left out there. */
export function celSchemaOf(schema: Schema): CelSchema {
  let known = made.get(schema)
  if (known === undefined) {
    known = convert(schema, undefined, new Set()) ?? {}
    made.set(schema, known)
  }
  return known
}

function convert(schema: Schema, field: Field | undefined, within: Set<Schema>): CelSchema | undefined {
  switch (schema.type) {
    case "object": {
      if (schema.preserveUnknown === true && schema.fields === undefined)
        return { type: "object", "x-kubernetes-preserve-unknown-fields": true }
      if (within.has(schema)) return undefined
      within.add(schema)
      const properties: Record<string, CelSchema> = {}
      const required: string[] = []
      for (const [name, inner] of schema.fields ?? []) {
        const property = convert(inner.schema, inner, within)
        if (property === undefined) continue
        properties[name] = property
        if (inner.required) required.push(name)
      }
      within.delete(schema)
      return { type: "object", properties, required }
    }
    case "map": {
      const values = convert(schema.values!, undefined, within)
      return values && { type: "object", additionalProperties: values }
    }
    case "array": {
      const items = convert(schema.items!, undefined, within)
      if (items === undefined) return undefined
      return {
        type: "array",
        items,
        ...(field?.listType !== undefined && { "x-kubernetes-list-type": field.listType }),
        ...(field?.mapKeys !== undefined && { "x-kubernetes-list-map-keys": field.mapKeys }),
      }
    }
    default:
      return (
        scalars[schema.type] ?? {
          type: schema.type,
          ...(schema.format !== undefined && { format: schema.format }),
        }
      )
  }
}
