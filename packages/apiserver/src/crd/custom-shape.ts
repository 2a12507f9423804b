/** The shape of a custom resource, as apply and merge read shapes, from its structural schema. */
import type { JSONSchemaProps } from "@knarr/api"
import { schemaOf, type Field, type Schema, type SchemaType } from "@knarr/apimachinery"
import { itemsOf } from "./prune.ts"
import { publishedSchema } from "./published-schema.ts"

const text: Schema = { type: "string" }
const anything: Schema = { type: "any", preserveUnknown: true }
const scalars: readonly SchemaType[] = ["string", "integer", "number", "boolean"]

/**
 * The shape of a whole object: what every object has stands beside what the schema says. `preservesUnknown` is
 * `spec.preserveUnknownFields` of the definition.
 */
export function shapeOfCustom(
  schema: JSONSchemaProps | undefined,
  preservesUnknown: boolean,
  reader: NonNullable<Schema["reader"]>,
): Schema {
  const shape = resourceShape(schema ?? { "x-kubernetes-preserve-unknown-fields": true })
  return { ...shape, reader, published: publishedSchema(schema, preservesUnknown) }
}

function resourceShape(schema: JSONSchemaProps): Schema {
  const fields = new Map<string, Field>()
  const required = new Set(schema.required)
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    fields.set(name, fieldOf(name, property, required.has(name)))
  const meta = schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
  for (const [name, shape] of [
    ["apiVersion", text],
    ["kind", text],
    ["metadata", meta],
  ] as const)
    fields.set(name, { name, schema: shape, required: false })
  return { type: "object", fields: sorted(fields), ...flagsOf(schema) }
}

function sorted(fields: Map<string, Field>): Map<string, Field> {
  return new Map([...fields].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function flagsOf(schema: JSONSchemaProps): Pick<Schema, "preserveUnknown" | "atomic"> {
  return {
    ...(schema["x-kubernetes-preserve-unknown-fields"] ? { preserveUnknown: true } : {}),
    ...(schema["x-kubernetes-map-type"] === "atomic" ? { atomic: true } : {}),
  }
}

function fieldOf(name: string, schema: JSONSchemaProps, required: boolean): Field {
  const listType = schema["x-kubernetes-list-type"]
  const mapKeys = schema["x-kubernetes-list-map-keys"]
  return {
    name,
    schema: shapeOf(schema),
    required,
    ...(schema.default === undefined ? {} : { default: schema.default }),
    ...(listType === "map" || listType === "set" || listType === "atomic" ? { listType } : {}),
    ...(mapKeys ? { mapKeys } : {}),
  }
}

function shapeOf(schema: JSONSchemaProps | undefined): Schema {
  if (!schema) return anything
  if (schema["x-kubernetes-embedded-resource"]) return resourceShape(schema)
  if (schema["x-kubernetes-int-or-string"]) return { type: "int-or-string" }
  const { type = "", additionalProperties: more, format } = schema
  if (scalars.includes(type as SchemaType))
    return { type: type as SchemaType, ...(format === undefined ? {} : { format }) }
  if (type === "array") return { type: "array", items: shapeOf(itemsOf(schema)) }
  if (type === "object" && more !== undefined && more !== false)
    return { type: "map", values: more === true ? anything : shapeOf(more), ...flagsOf(schema) }
  if (type !== "object" && !schema.properties) return anything
  const fields = new Map<string, Field>()
  const required = new Set(schema.required)
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    fields.set(name, fieldOf(name, property, required.has(name)))
  return { type: "object", fields: sorted(fields), ...flagsOf(schema) }
}
