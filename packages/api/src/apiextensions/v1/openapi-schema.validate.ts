/**
 * Rules of the schemas of custom resources.
 * Mirrors: apiextensions pkg/apis/apiextensions/validation/validation.go (ValidateCustomResourceDefinitionOpenAPISchema)
 */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { oneOfIfSet } from "../../checks.ts"
import { RuleScope } from "./rule-scope.ts"
import { validateExpressions, validateRuleTexts } from "./schema-rules.validate.ts"
import type { JSONSchemaProps } from "./types.gen.ts"

/** What an update need not get right because it was wrong already. */
export interface SchemaDemands {
  readonly types: boolean
  readonly atomicSets: boolean
  readonly mapKeys: boolean
  /** Whether a single rule may cost too much. */
  readonly anyCost: boolean
}

interface Place {
  readonly root: boolean
  /** Where rules are looked at; undefined where they are not. */
  readonly scope: RuleScope | undefined
  /** The outermost list around it whose items cannot be told from what they were. */
  readonly uncorrelatable: string | undefined
  /** Within kind, apiVersion or metadata. */
  readonly meta: boolean
  /** Why there must be no default here. */
  readonly noDefault: string | undefined
}

const types = ["array", "boolean", "integer", "number", "object", "string"]
const metaFields = new Set(["metadata", "kind", "apiVersion"])
const listTypes = ["atomic", "set", "map"]
const mapTypes = ["atomic", "granular"]

const isSchema = (value: unknown): value is JSONSchemaProps =>
  typeof value === "object" && value !== null && !Array.isArray(value)

interface Problems {
  readonly schema: FieldError[]
  /** What expressions are refused for: looked for where the schema is right, within it too. */
  readonly rules: FieldError[]
}

/** `scope`: that of the rules in the schema; undefined when they are not looked at. */
export function validateSchema(
  path: string,
  schema: JSONSchemaProps,
  demands: SchemaDemands,
  scope: RuleScope | undefined,
): FieldError[] {
  const place = { root: true, meta: false, noDefault: undefined, scope, uncorrelatable: undefined }
  const { schema: problems, rules } = validate(path, schema, place, demands)
  return [...problems, ...rules]
}

function validate(path: string, schema: JSONSchemaProps, place: Place, demands: SchemaDemands): Problems {
  const out = validateKeywords(path, schema, place, demands)
  const rules: FieldError[] = []
  const below = (at: string, child: unknown, more: Partial<Place> = {}): void => {
    if (!isSchema(child)) return
    const found = validate(at, child, { ...place, root: false, scope: undefined, ...more }, demands)
    out.push(...found.schema)
    rules.push(...found.rules)
  }
  const within = (at: string, child: unknown, more: Partial<Place> = {}): void => {
    if (isSchema(child))
      below(at, child, { scope: place.scope && new RuleScope(child, place.scope), ...more })
  }
  if (schema.uniqueItems)
    out.push(
      field.forbidden(
        `${path}.uniqueItems`,
        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
      ),
    )
  const { properties = {}, additionalProperties } = schema
  if (additionalProperties !== undefined) {
    if (Object.keys(properties).length > 0 && additionalProperties !== true)
      out.push(
        field.forbidden(
          `${path}.additionalProperties`,
          "additionalProperties and properties are mutual exclusive",
        ),
      )
    within(
      `${path}.additionalProperties`,
      additionalProperties,
      place.meta ? { noDefault: "inside additionalProperties applying to object metadata" } : {},
    )
  }
  for (const [name, property] of Object.entries(properties)) {
    const isMeta = (place.root || schema["x-kubernetes-embedded-resource"] === true) && metaFields.has(name)
    within(`${path}.properties[${name}]`, property, {
      ...(isMeta ? { meta: true } : {}),
      ...(isMeta && place.root ? { noDefault: `in top-level ${name}` } : {}),
    })
  }
  below(`${path}.not`, schema.not)
  for (const name of ["allOf", "oneOf", "anyOf"] as const)
    for (const [i, one] of (schema[name] ?? []).entries()) below(`${path}.${name}[${i}]`, one)
  for (const [name, one] of Object.entries(schema.definitions ?? {}))
    below(`${path}.definitions[${name}]`, one)
  const isKeyed = schema["x-kubernetes-list-type"] === "map"
  const uncorrelatable = isKeyed ? place.uncorrelatable : (place.uncorrelatable ?? path)
  if (Array.isArray(schema.items))
    for (const [i, one] of schema.items.entries()) within(`${path}.items[${i}]`, one, { uncorrelatable })
  else within(`${path}.items`, schema.items, { uncorrelatable })
  for (const [name, one] of Object.entries(schema.dependencies ?? {}))
    below(`${path}.dependencies[${name}]`, one)
  out.push(...validateExtensions(path, schema, demands), ...validateRuleTexts(path, schema))
  if (out.length === 0 && place.scope)
    rules.push(
      ...validateExpressions(path, schema, place.scope, {
        uncorrelatable: place.uncorrelatable,
        anyCost: demands.anyCost,
      }),
    )
  return { schema: out, rules }
}

/** Keywords that are not served, or not here. */
function validateKeywords(
  path: string,
  schema: JSONSchemaProps,
  place: Place,
  demands: SchemaDemands,
): FieldError[] {
  const out: FieldError[] = []
  const forbid = (name: string, detail: string): number =>
    out.push(field.forbidden(`${path}.${name}`, detail))
  const isFilled = (value: object | undefined): boolean =>
    value !== undefined && Object.keys(value).length > 0
  if (demands.types && schema.type && !types.includes(schema.type))
    out.push(field.notSupported(`${path}.type`, schema.type, types))
  if (schema.default !== undefined && place.noDefault !== undefined)
    forbid("default", `must not be set ${place.noDefault}`)
  if (schema.id) forbid("id", "id is not supported")
  if (schema.additionalItems !== undefined) forbid("additionalItems", "additionalItems is not supported")
  if (isFilled(schema.patternProperties)) forbid("patternProperties", "patternProperties is not supported")
  if (isFilled(schema.definitions)) forbid("definitions", "definitions is not supported")
  if (isFilled(schema.dependencies)) forbid("dependencies", "dependencies is not supported")
  if (schema.$ref !== undefined) forbid("$ref", "$ref is not supported")
  if (schema.type === "null") forbid("type", "type cannot be set to null, use nullable as an alternative")
  if (Array.isArray(schema.items) && schema.items.length > 0)
    forbid("items", "items must be a schema object and not an array")
  if (place.meta && schema["x-kubernetes-embedded-resource"])
    forbid("x-kubernetes-embedded-resource", "must not be used inside of resource meta")
  return out
}

function validateExtensions(path: string, schema: JSONSchemaProps, demands: SchemaDemands): FieldError[] {
  const out: FieldError[] = []
  const mapType = schema["x-kubernetes-map-type"]
  const listType = schema["x-kubernetes-list-type"]
  const mustBe = (type: string, why: string): void => {
    const detail = `must be ${type} if ${why} is specified`
    const at = `${path}.type`
    out.push(schema.type ? field.invalid(at, schema.type, detail) : field.required(at, detail))
  }
  if (schema["x-kubernetes-preserve-unknown-fields"] === false)
    out.push(
      field.invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined"),
    )
  if (mapType !== undefined && schema.type !== "object") mustBe("object", "x-kubernetes-map-type")
  out.push(...oneOfIfSet(`${path}.x-kubernetes-map-type`, mapType, mapTypes))
  if (listType !== undefined && schema.type !== "array") mustBe("array", "x-kubernetes-list-type")
  else if (demands.atomicSets) out.push(...validateSetItems(path, schema))
  out.push(...oneOfIfSet(`${path}.x-kubernetes-list-type`, listType, listTypes))
  if ((schema["x-kubernetes-list-map-keys"] ?? []).length > 0 && listType !== "map") {
    const at = `${path}.x-kubernetes-list-type`
    const detail = "must be map if x-kubernetes-list-map-keys is non-empty"
    out.push(listType === undefined ? field.required(at, detail) : field.invalid(at, listType, detail))
  }
  if (listType === "map") out.push(...validateMapList(path, schema))
  if (demands.mapKeys) out.push(...validateMapKeys(path, schema))
  return out
}

/** Whether items of a set, which are one value each, say so. */
export function hasNonAtomicSet(schema: JSONSchemaProps): boolean {
  return validateSetItems("", schema).length > 0
}

function validateSetItems(path: string, schema: JSONSchemaProps): FieldError[] {
  const { items } = schema
  if (schema["x-kubernetes-list-type"] !== "set" || !isSchema(items)) return []
  const detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
  const listType = items["x-kubernetes-list-type"]
  if (items.type === "array" && listType !== undefined && listType !== "atomic")
    return [field.invalid(`${path}.items.x-kubernetes-list-type`, listType, detail)]
  if (items.type === "object" && items["x-kubernetes-map-type"] !== "atomic")
    return [field.invalid(`${path}.items.x-kubernetes-map-type`, listType ?? null, detail)]
  return []
}

function validateMapList(path: string, schema: JSONSchemaProps): FieldError[] {
  const out: FieldError[] = []
  const keys = schema["x-kubernetes-list-map-keys"] ?? []
  const keysPath = `${path}.x-kubernetes-list-map-keys`
  const { items } = schema
  if (keys.length === 0)
    out.push(field.required(keysPath, "must not be empty if x-kubernetes-list-type is map"))
  if (items === undefined)
    out.push(field.required(`${path}.items`, "must have a schema if x-kubernetes-list-type is map"))
  else if (!isSchema(items))
    out.push(
      field.invalid(
        `${path}.items`,
        items,
        "must only have a single schema if x-kubernetes-list-type is map",
      ),
    )
  else if (items.type !== "object")
    out.push(
      field.invalid(
        `${path}.items.type`,
        items.type ?? "",
        "must be object if parent array's x-kubernetes-list-type is map",
      ),
    )
  else {
    const seen = new Set<string>()
    for (const key of keys) {
      const property = items.properties?.[key]
      if (!property) out.push(field.invalid(keysPath, keys, "entries must all be names of item properties"))
      else if (property.type === "array" || property.type === "object")
        out.push(
          field.invalid(
            `${path}.items.properties[${key}].type`,
            items.type,
            "must be a scalar type if parent array's x-kubernetes-list-type is map",
          ),
        )
      if (seen.has(key)) out.push(field.invalid(keysPath, keys, "must not contain duplicate entries"))
      seen.add(key)
    }
  }
  return out
}

/** Items of sets and maps, and the keys of maps, must have a value. */
export function validateMapKeys(path: string, schema: JSONSchemaProps): FieldError[] {
  const { items } = schema
  const listType = schema["x-kubernetes-list-type"]
  if (!isSchema(items) || (listType !== "set" && listType !== "map")) return []
  const out: FieldError[] = []
  if (items.nullable)
    out.push(
      field.forbidden(
        `${path}.items.nullable`,
        `cannot be nullable when x-kubernetes-list-type is ${listType}`,
      ),
    )
  if (listType === "set") return out
  const required = new Set(items.required)
  for (const key of schema["x-kubernetes-list-map-keys"] ?? []) {
    const property = items.properties?.[key]
    if (!property) continue
    const at = `${path}.items.properties[${key}]`
    if (!required.has(key) && property.default === undefined)
      out.push(
        field.required(
          `${at}.default`,
          "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ),
      )
    if (property.nullable)
      out.push(
        field.forbidden(
          `${at}.nullable`,
          "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
        ),
      )
  }
  return out
}
