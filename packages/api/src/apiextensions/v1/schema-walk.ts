/** Every schema within a schema. Mirrors: apiextensions pkg/apis/apiextensions/validation (SchemaHas) */
import type { JSONSchemaProps } from "./types.gen.ts"

function isSchema(value: unknown): value is JSONSchemaProps {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** Whether the test holds for the schema or any within it. */
export function schemaHas(
  schema: JSONSchemaProps | undefined,
  test: (schema: JSONSchemaProps) => boolean,
): boolean {
  if (!schema) return false
  if (test(schema)) return true
  return childrenOf(schema).some((child) => schemaHas(child, test))
}

function childrenOf(schema: JSONSchemaProps): JSONSchemaProps[] {
  const { items, not, additionalProperties, additionalItems } = schema
  return [
    ...(Array.isArray(items) ? items : [items]),
    ...(schema.allOf ?? []),
    ...(schema.anyOf ?? []),
    ...(schema.oneOf ?? []),
    not,
    ...Object.values(schema.properties ?? {}),
    additionalProperties,
    ...Object.values(schema.patternProperties ?? {}),
    additionalItems,
    ...Object.values(schema.definitions ?? {}),
    ...Object.values(schema.dependencies ?? {}),
  ].filter(isSchema)
}
