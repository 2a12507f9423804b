/**
 * The defaults in a definition's schemas have to fit them, and have nothing that the schemas do not know.
 * Mirrors: apiextensions pkg/apiserver/schema/defaulting/validation.go
 */
import { hoistDefinition, type CustomResourceDefinition, type JSONSchemaProps } from "@knarr/api"
import { deepClone, distinctErrors, field, type FieldError, type KubeObject } from "@knarr/apimachinery"
import type { WriteHooks } from "../registry/write-hooks.ts"
import { celRulesOf } from "./cel-rules.ts"
import { itemsOf, pruneCustom } from "./prune.ts"
import { SchemaCheck } from "./schema-check.ts"

const metaFields = new Set(["metadata", "kind", "apiVersion"])

export const definitionHooks: WriteHooks = {
  validateCreate: (obj) => validateDefaults(obj, true),
  validateUpdate: (obj, old) =>
    validateDefaults(
      obj,
      schemasOf(old).every(({ schema }) => arePruned(schema)),
    ),
}

/** The schemas where errors name them. */
function schemasOf(obj: Readonly<KubeObject>): { path: string; schema: JSONSchemaProps }[] {
  const { schema, versions } = hoistDefinition((obj as unknown as CustomResourceDefinition).spec)
  const all = [
    { path: "spec.validation", schema: schema?.openAPIV3Schema },
    ...versions.map((version, i) => ({
      path: `spec.versions[${i}].schema`,
      schema: version.schema?.openAPIV3Schema,
    })),
  ]
  return all.flatMap((one) =>
    one.schema ? [{ path: `${one.path}.openAPIV3Schema`, schema: one.schema }] : [],
  )
}

/** `pruned`: whether a default with unknown fields is refused. */
function validateDefaults(obj: Readonly<KubeObject>, pruned: boolean): FieldError[] {
  return schemasOf(obj).flatMap(({ path, schema }) => {
    const out: FieldError[] = []
    visitDefaults(path, schema, true, false, (at, one, inMeta) => {
      if (pruned && !inMeta && unknownFields(one)) {
        out.push(field.invalid(at, one.default, "must not have unknown fields"))
      }
      out.push(...validateDefault(at, one))
    })
    return out
  })
}

type Visit = (path: string, schema: JSONSchemaProps, inMeta: boolean) => void

/** Not those of maps' values, where there must be none. `inMeta`: within the metadata of an object. */
function visitDefaults(
  path: string,
  schema: JSONSchemaProps,
  root: boolean,
  inMeta: boolean,
  visit: Visit,
): void {
  const isResource = root || schema["x-kubernetes-embedded-resource"] === true
  const meta = inMeta && !isResource
  if (schema.default !== undefined && schema.default !== null) visit(`${path}.default`, schema, meta)
  const items = itemsOf(schema)
  if (items) visitDefaults(`${path}.items`, items, false, meta, visit)
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    visitDefaults(
      `${path}.properties[${name}]`,
      property,
      false,
      meta || (isResource && metaFields.has(name)),
      visit,
    )
}

function arePruned(schema: JSONSchemaProps): boolean {
  let pruned = true
  visitDefaults("", schema, true, false, (_path, one, inMeta) => {
    if (!inMeta && unknownFields(one)) pruned = false
  })
  return pruned
}

function unknownFields(schema: JSONSchemaProps): boolean {
  const copy = deepClone(schema.default) as Record<string, unknown>
  return pruneCustom(copy, schema, schema["x-kubernetes-embedded-resource"] === true).length > 0
}

function validateDefault(path: string, schema: JSONSchemaProps): FieldError[] {
  const value = schema.default
  const problems = new SchemaCheck(schema).validate(value, path)
  const rules = celRulesOf(schema)
  if (problems.length > 0 || !rules) return problems
  // Once as what stays, for rules about old values, and once as what is new.
  const errors = [value, undefined].flatMap((old) =>
    rules.validate(value as object, old as object | undefined, () => {}),
  )
  return distinctErrors(errors).map((error) => ({ ...error, field: within(path, error.field) }))
}

function within(path: string, inner: string): string {
  if (inner === "<nil>") return path
  return inner.startsWith("[") ? path + inner : `${path}.${inner}`
}
