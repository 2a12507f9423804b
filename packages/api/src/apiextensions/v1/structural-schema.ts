/**
 * Structural schemas: what a custom resource is made of is said once, outside of the logic that restricts it.
 * Mirrors: apiextensions pkg/apiserver/schema (NewStructural, ValidateStructural)
 */
import { field, fieldErrorMessage, goRegexp } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import type { JSONSchemaProps } from "./types.gen.ts"

type Level = "root" | "item" | "field"

const unsupported = [
  ["id", "id"],
  ["$schema", "schema"],
  ["$ref", "$ref"],
  ["patternProperties", "patternProperties"],
  ["dependencies", "dependencies"],
  ["additionalItems", "additionalItems"],
  ["definitions", "definitions"],
] as const

function isEmpty(value: unknown): boolean {
  return (
    value === undefined ||
    value === "" ||
    (typeof value === "object" && value !== null && Object.keys(value).length === 0)
  )
}

const isSchema = (value: unknown): value is JSONSchemaProps =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Why the schema has no structure at all; undefined when it has one, right or wrong. */
export function structureProblem(schema: JSONSchemaProps): string | undefined {
  for (const [name, text] of unsupported)
    if (!isEmpty(schema[name])) return `OpenAPIV3Schema '${text}' is not supported`
  if (schema["x-kubernetes-preserve-unknown-fields"] === false)
    return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
  if (Array.isArray(schema.items) && schema.items.length > 0)
    return "OpenAPIV3Schema 'items' must be a schema, but is an array"
  const inner = [
    schema.not,
    ...(schema.allOf ?? []),
    ...(schema.anyOf ?? []),
    ...(schema.oneOf ?? []),
    schema.items,
    ...Object.values(schema.properties ?? {}),
    schema.additionalProperties,
  ].filter(isSchema)
  for (const one of inner) {
    const problem = structureProblem(one)
    if (problem) return problem
  }
  return undefined
}

/** What is wrong with the structure of a schema that has one, sorted by message. */
export function validateStructural(path: string, schema: JSONSchemaProps): FieldError[] {
  const out = [
    ...validateInvariants(path, schema, "root"),
    ...validateCompleteness(path, path, schema, schema),
  ]
  return out
    .map((error) => ({ error, message: fieldErrorMessage(error) }))
    .sort((a, b) => (a.message < b.message ? -1 : a.message > b.message ? 1 : 0))
    .map(({ error }) => error)
}

const emptyType: Readonly<Record<Level, string>> = {
  root: "must not be empty at the root",
  item: "must not be empty for specified array items",
  field: "must not be empty for specified object fields",
}

function validateInvariants(path: string, schema: JSONSchemaProps, level: Level): FieldError[] {
  const out: FieldError[] = []
  const { type, items, properties = {}, additionalProperties } = schema
  if (type === "array" && items === undefined) out.push(field.required(`${path}.items`, "must be specified"))
  if (isSchema(items)) out.push(...validateInvariants(`${path}.items`, items, "item"))
  for (const [name, property] of Object.entries(properties))
    out.push(...validateInvariants(`${path}.properties[${name}]`, property, "field"))
  if (additionalProperties !== undefined && level === "root")
    out.push(field.forbidden(`${path}.additionalProperties`, "must not be used at the root"))
  if (isSchema(additionalProperties))
    out.push(...validateInvariants(`${path}.additionalProperties`, additionalProperties, "field"))
  out.push(...validateExtensions(path, schema))
  out.push(
    ...validateValue(path, schema, isIntOrString(schema.anyOf), isIntOrString(schema.allOf?.[0]?.anyOf)),
  )
  out.push(...validateType(path, schema, level), ...validateMeta(path, schema, level))
  return out
}

function validateExtensions(path: string, schema: JSONSchemaProps): FieldError[] {
  if (!schema["x-kubernetes-int-or-string"]) return []
  const names = ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] as const
  return names
    .filter((name) => schema[name])
    .map((name) =>
      field.invalid(`${path}.${name}`, true, "must be false if x-kubernetes-int-or-string is true"),
    )
}

function validateType(path: string, schema: JSONSchemaProps, level: Level): FieldError[] {
  const out: FieldError[] = []
  const { type } = schema
  const at = `${path}.type`
  if (schema["x-kubernetes-embedded-resource"] && type !== "object") {
    const detail = "must be object if x-kubernetes-embedded-resource is true"
    out.push(type ? field.invalid(at, type, detail) : field.required(at, detail))
  } else if (
    !type &&
    !schema["x-kubernetes-int-or-string"] &&
    !schema["x-kubernetes-preserve-unknown-fields"]
  )
    out.push(field.required(at, emptyType[level]))
  if (schema["x-kubernetes-embedded-resource"] && schema.additionalProperties !== undefined)
    out.push(
      field.forbidden(
        `${path}.additionalProperties`,
        "must not be used if x-kubernetes-embedded-resource is set",
      ),
    )
  if (level === "root" && type && type !== "object")
    out.push(field.invalid(at, type, "must be object at the root"))
  return out
}

/** kind, apiVersion and metadata are the same everywhere. */
function validateMeta(path: string, schema: JSONSchemaProps, level: Level): FieldError[] {
  const out: FieldError[] = []
  const { properties = {} } = schema
  const embedded = schema["x-kubernetes-embedded-resource"] === true
  const isResource = level === "root" || embedded
  for (const name of ["kind", "apiVersion"]) {
    const property = properties[name]
    if (property && isResource && property.type !== "string")
      out.push(field.invalid(`${path}.properties[${name}].type`, property.type ?? "", "must be string"))
  }
  const { metadata } = properties
  const at = `${path}.properties[metadata]`
  if (metadata && isResource && metadata.type !== "object")
    out.push(field.invalid(`${at}.type`, metadata.type ?? "", "must be object"))
  if (metadata && level === "root" && saysMore(metadata))
    out.push(
      field.forbidden(
        at,
        "must not specify anything other than name and generateName, but metadata is implicitly specified",
      ),
    )
  if (embedded && !schema["x-kubernetes-preserve-unknown-fields"] && Object.keys(properties).length === 0)
    out.push(
      field.required(
        `${path}.properties`,
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      ),
    )
  return out
}

function saysMore(metadata: JSONSchemaProps): boolean {
  const { type: _type, default: _default, properties, ...rest } = metadata
  const others = Object.keys(properties ?? {}).filter((name) => name !== "name" && name !== "generateName")
  return others.length > 0 || Object.values(rest).some((value) => !isEmpty(value) && value !== false)
}

/** The usual way to say that either will do. */
function isIntOrString(anyOf: readonly JSONSchemaProps[] | undefined): boolean {
  return (
    anyOf?.length === 2 &&
    anyOf.every(
      ({ type, ...rest }, i) => type === ["integer", "string"][i] && Object.values(rest).every(isEmpty),
    )
  )
}

/** Logic must not say what things are made of. */
function validateValue(
  path: string,
  schema: JSONSchemaProps,
  skipAnyOf: boolean,
  skipFirstAllOfAnyOf: boolean,
): FieldError[] {
  const out: FieldError[] = []
  if (!skipAnyOf)
    for (const [i, one] of (schema.anyOf ?? []).entries())
      out.push(...validateNested(`${path}.anyOf[${i}]`, one))
  for (const [i, one] of (schema.allOf ?? []).entries())
    out.push(...validateNested(`${path}.allOf[${i}]`, one, skipFirstAllOfAnyOf && i === 0))
  for (const [i, one] of (schema.oneOf ?? []).entries())
    out.push(...validateNested(`${path}.oneOf[${i}]`, one))
  if (schema.not) out.push(...validateNested(`${path}.not`, schema.not))
  const problem = schema.pattern ? goRegexp(schema.pattern) : undefined
  if (typeof problem === "string")
    out.push(
      field.invalid(
        `${path}.pattern`,
        schema.pattern,
        `must be a valid regular expression, but isn't: ${problem}`,
      ),
    )
  return out
}

/** What a schema within logic must be without, and how that is said. */
const forbidden = [
  ["title", "empty"],
  ["description", "empty"],
  ["nullable", "false"],
  ["x-kubernetes-preserve-unknown-fields", "false"],
  ["x-kubernetes-embedded-resource", "false"],
  ["x-kubernetes-int-or-string", "false"],
  ["x-kubernetes-list-map-keys", "empty"],
  ["x-kubernetes-list-type", "undefined"],
  ["x-kubernetes-map-type", "undefined"],
  ["x-kubernetes-validations", "empty"],
] as const

function validateNested(path: string, schema: JSONSchemaProps, skipAnyOf = false): FieldError[] {
  const out = validateValue(path, schema, skipAnyOf, false)
  const { items, properties = {}, additionalProperties } = schema
  if (isSchema(items)) out.push(...validateNested(`${path}.items`, items))
  for (const [name, property] of Object.entries(properties))
    out.push(...validateNested(`${path}.properties[${name}]`, property))
  if (schema.type) out.push(field.forbidden(`${path}.type`, "must be empty to be structural"))
  if (isSchema(additionalProperties) || additionalProperties === true)
    out.push(field.forbidden(`${path}.additionalProperties`, "must be undefined to be structural"))
  if (schema.default !== undefined)
    out.push(field.forbidden(`${path}.default`, "must be undefined to be structural"))
  for (const [name, what] of forbidden) {
    const value = schema[name]
    if (what === "undefined" ? value !== undefined : !isEmpty(value) && value !== false)
      out.push(field.forbidden(`${path}.${name}`, `must be ${what} to be structural`))
  }
  if (properties["metadata"])
    out.push(field.forbidden(`${path}.properties[metadata]`, "must not be specified in a nested context"))
  return out
}

/** What logic speaks of must be there. `path` is that of `schema`, `valuePath` that of the logic `value`. */
function validateCompleteness(
  path: string,
  valuePath: string,
  schema: JSONSchemaProps,
  value: JSONSchemaProps,
): FieldError[] {
  const out: FieldError[] = []
  if (value.not) out.push(...validateNestedCompleteness(path, `${valuePath}.not`, schema, value.not))
  for (const name of ["allOf", "anyOf", "oneOf"] as const)
    for (const [i, one] of (value[name] ?? []).entries())
      out.push(...validateNestedCompleteness(path, `${valuePath}.${name}[${i}]`, schema, one))
  return out
}

function validateNestedCompleteness(
  path: string,
  valuePath: string,
  schema: JSONSchemaProps | undefined,
  value: JSONSchemaProps,
): FieldError[] {
  if (!schema) return [field.required(path, `because it is defined in ${valuePath}`)]
  const out = validateCompleteness(path, valuePath, schema, value)
  if (isSchema(value.items)) {
    const items = isSchema(schema.items) ? schema.items : undefined
    out.push(...validateNestedCompleteness(`${path}.items`, `${valuePath}.items`, items, value.items))
  }
  for (const [name, property] of Object.entries(value.properties ?? {}))
    out.push(
      ...validateNestedCompleteness(
        `${path}.properties[${name}]`,
        `${valuePath}.properties[${name}]`,
        schema.properties?.[name],
        property,
      ),
    )
  return out
}
