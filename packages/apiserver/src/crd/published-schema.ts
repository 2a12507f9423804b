/**
 * What OpenAPI publishes of the schema of a custom resource: all of it in version 3; in version 2 what clients of that
 * version can read. Mirrors: apiextensions pkg/controller/openapi/builder, pkg/controller/openapi/v2
 */
import type { JSONSchemaProps } from "@knarr/api"
import type { Schema } from "@knarr/apimachinery"
import { itemsOf } from "./prune.ts"

type Json = Record<string, unknown>
type Published = NonNullable<Schema["published"]>

const conventions = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
const embeddedTexts = {
  apiVersion: `apiVersion defines the versioned schema of this representation of an object. More info: ${conventions}#resources`,
  kind: `kind is a string value representing the type of this object. In CamelCase. More info: ${conventions}#types-kinds`,
}
const integerOrString = [{ type: "integer" }, { type: "string" }]
const logic = ["allOf", "anyOf", "oneOf", "not"] as const

/** `preservesUnknown`: `spec.preserveUnknownFields` of the definition. */
export function publishedSchema(schema: JSONSchemaProps | undefined, preservesUnknown: boolean): Published {
  return (version, standard) => {
    const isFree = preservesUnknown || schema?.["x-kubernetes-preserve-unknown-fields"] === true
    // Clients of version 2 refuse what they find no property for as soon as there is one.
    if (!schema || (version === 2 && isFree)) return { type: "object" }
    const whole = publish(schema, version, standard["metadata"])
    return { ...whole, properties: { ...(whole["properties"] as Json), ...standard } }
  }
}

function publish(schema: JSONSchemaProps, version: 2 | 3, metadata: unknown): Json {
  const below = (one: JSONSchemaProps): Json => publish(one, version, metadata)
  const { properties, additionalProperties: more, ...rest } = schema
  const out: Json = { ...rest }
  const items = itemsOf(schema)
  if (items) out["items"] = below(items)
  if (properties && Object.keys(properties).length > 0)
    out["properties"] = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, below(property)]),
    )
  if (more !== undefined) out["additionalProperties"] = typeof more === "object" ? below(more) : more
  if (version === 3) unfold(out, schema)
  else simplify(out, schema)
  const keeps = schema["x-kubernetes-preserve-unknown-fields"] === true
  if (schema["x-kubernetes-embedded-resource"] && !(version === 2 && keeps)) embed(out, metadata)
  return out
}

/** Says in plain words what an integer or a text is, unless the schema does. */
function unfold(out: Json, { anyOf, allOf, ...schema }: JSONSchemaProps): void {
  if (!schema["x-kubernetes-int-or-string"]) return
  if (isIntegerOrString(anyOf) || isIntegerOrString(allOf?.[0]?.anyOf)) return
  if (anyOf) out["allOf"] = [{ anyOf: integerOrString }, ...(allOf ?? [])]
  else out["anyOf"] = integerOrString
}

function isIntegerOrString(anyOf: readonly JSONSchemaProps[] | undefined): boolean {
  return anyOf?.length === 2 && anyOf.every(({ type }, i) => type === integerOrString[i]!.type)
}

/** Leaves out what version 2 does not know, and types that its clients would take too literally. */
function simplify(out: Json, schema: JSONSchemaProps): void {
  for (const name of [...logic, "default", "nullable"]) delete out[name]
  const keeps = schema["x-kubernetes-preserve-unknown-fields"] === true
  if (schema.nullable || keeps) {
    delete out["items"]
    delete out["properties"]
  }
  const isUntyped =
    schema.nullable ||
    (schema.type === "array" && out["items"] === undefined) ||
    (keeps && schema.type === "object")
  if (isUntyped) delete out["type"]
  const { properties, additionalProperties: more } = schema
  const required =
    typeof more === "object" && more.nullable
      ? []
      : (schema.required ?? []).filter((name) => !(out["properties"] && properties?.[name]?.nullable))
  if (required.length > 0) out["required"] = required
  else delete out["required"]
}

function embed(out: Json, metadata: unknown): void {
  const text = (description: string): Json => ({ description, type: "string" })
  const required = (out["required"] as string[] | undefined) ?? []
  out["properties"] = {
    ...(out["properties"] as Json),
    apiVersion: text(embeddedTexts.apiVersion),
    kind: text(embeddedTexts.kind),
    metadata,
  }
  out["required"] = [...required, ...["kind", "apiVersion"].filter((name) => !required.includes(name))]
}
