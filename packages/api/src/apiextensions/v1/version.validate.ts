/**
 * Rules of what a version of a custom resource has, and of what all versions have in common.
 * Mirrors: apiextensions pkg/apis/apiextensions/validation/validation.go
 */
import { byteLength, field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { goValue } from "../../go-value.ts"
import { followPath } from "./field-path.ts"
import type { HoistedSpec } from "./hoisted-spec.ts"
import { validateSchema, type SchemaDemands } from "./openapi-schema.validate.ts"
import { RuleScope } from "./rule-scope.ts"
import { validateTotalCost } from "./schema-rules.validate.ts"
import { structureProblem, validateStructural } from "./structural-schema.ts"
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
  CustomResourceValidation,
  JSONSchemaProps,
  SelectableField,
} from "./types.gen.ts"

const columnTypes = ["boolean", "date", "integer", "number", "string"]
const columnFormats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"]
const maxSelectableFields = 8
const maxWarningLength = 256

/** What an update need not get right, for versions by name. */
export interface VersionDemands extends Omit<SchemaDemands, "anyCost"> {
  /** Versions whose schemas are as they were. */
  readonly sameSchemas: ReadonlySet<string>
  readonly structural: boolean
  /** Versions that have had too many selectable fields; "" for what all have. */
  readonly manyFields: ReadonlySet<string>
}

/** Rules of one version; what it shares with the others is elsewhere. */
export function validateVersion(
  path: string,
  version: CustomResourceDefinitionVersion,
  withStatus: boolean,
  demands: VersionDemands,
): FieldError[] {
  const out = validateDeprecation(path, version)
  out.push(
    ...validateValidation(`${path}.schema`, version.schema, withStatus, {
      ...demands,
      anyCost: demands.sameSchemas.has(version.name),
    }),
    ...validateSubresources(`${path}.subresources`, version.subresources),
    ...validateColumns(`${path}.additionalPrinterColumns`, version.additionalPrinterColumns),
  )
  const selectable = version.selectableFields ?? []
  if (selectable.length === 0) return out
  const schema = version.schema?.openAPIV3Schema
  const at = `${path}.selectableFields`
  if (!schema)
    out.push(field.invalid(at, "", "may only be set when `version.schema.openAPIV3Schema` is not included"))
  else
    out.push(
      ...validateSelectable(at, `${path}.schema.openAPIV3Schema`, selectable, schema, version.name, demands),
    )
  return out
}

/** Rules of what all versions have. */
export function validateShared(
  spec: HoistedSpec,
  withStatus: boolean,
  demands: VersionDemands,
): FieldError[] {
  const out = [
    ...validateValidation("spec.validation", spec.schema, withStatus, {
      ...demands,
      anyCost: demands.sameSchemas.has(spec.versions[0]?.name ?? ""),
    }),
    ...validateSubresources("spec.subresources", spec.subresources),
    ...validateColumns("spec.additionalPrinterColumns", spec.additionalPrinterColumns),
  ]
  const selectable = spec.selectableFields ?? []
  if (selectable.length === 0) return out
  const at = "spec.selectableFields"
  const schema = spec.schema?.openAPIV3Schema
  if (!schema) out.push(field.invalid(at, "", "may only be set when validations.schema is included"))
  else out.push(...validateSelectable(at, "spec.schema.openAPIV3Schema", selectable, schema, "", demands))
  return out
}

function validateDeprecation(path: string, version: CustomResourceDefinitionVersion): FieldError[] {
  const warning = version.deprecationWarning
  if (warning === undefined) return []
  const at = `${path}.deprecationWarning`
  if (!version.deprecated) return [field.invalid(at, warning, "can only be set for deprecated versions")]
  const out: FieldError[] = []
  if (byteLength(warning) > maxWarningLength)
    out.push(field.invalid(at, warning, `must be <= ${maxWarningLength} characters long`))
  if (warning === "") out.push(field.invalid(at, warning, "must not be an empty string"))
  const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(warning)
  if (unprintable)
    out.push(
      field.invalid(
        at,
        warning,
        `must only contain printable UTF-8 characters; non-printable character found at index ${byteLength(warning.slice(0, unprintable.index))}`,
      ),
    )
  return out
}

/** What may be said at the root when the status has an endpoint of its own, by Go's names. */
const rootFields =
  "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations"
const allowedAtRoot = new Set(
  rootFields
    .split(" ")
    .map((name) => name[0]!.toLowerCase() + name.slice(1))
    .map((name) =>
      name === "xPreserveUnknownFields"
        ? "x-kubernetes-preserve-unknown-fields"
        : name === "xValidations"
          ? "x-kubernetes-validations"
          : name,
    ),
)

function validateValidation(
  path: string,
  validation: CustomResourceValidation | undefined,
  withStatus: boolean,
  demands: SchemaDemands & Pick<VersionDemands, "structural">,
): FieldError[] {
  const schema = validation?.openAPIV3Schema
  if (!schema) return []
  const at = `${path}.openAPIV3Schema`
  const out = withStatus ? validateRoot(at, schema) : []
  if (schema.nullable) out.push(field.forbidden(`${at}.nullable`, "nullable cannot be true at the root"))
  const problem = demands.structural ? structureProblem(schema) : undefined
  const structural = demands.structural && !problem ? validateStructural(at, schema) : []
  const scope = demands.structural && !problem && structural.length === 0 ? new RuleScope(schema) : undefined
  out.push(...structural, ...validateSchema(at, schema, demands, scope))
  if (out.length === 0 && problem) out.push(field.invalid(at, "", problem))
  if (scope) out.push(...validateTotalCost(at, scope))
  return out
}

function validateRoot(path: string, schema: JSONSchemaProps): FieldError[] {
  const isSaid = (value: unknown): boolean =>
    value !== undefined &&
    value !== "" &&
    value !== false &&
    !(typeof value === "object" && value !== null && Object.keys(value).length === 0)
  const said = Object.entries(schema)
    .filter(([, value]) => isSaid(value))
    .map(([name]) => name)
  const before = ["id", "$schema", "$ref"]
  const wrongType = schema.type !== undefined && schema.type !== "" && schema.type !== "object"
  if (wrongType && !said.some((name) => before.includes(name)))
    return [
      field.invalid(
        `${path}.type`,
        schema.type,
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
      ),
    ]
  if (said.every((name) => allowedAtRoot.has(name))) return []
  return [
    field.invalid(
      path,
      goValue("apiextensions.JSONSchemaProps", schema),
      `only [${rootFields}] fields are allowed at the root of the schema if the status subresource is enabled`,
    ),
  ]
}

function validateSubresources(
  path: string,
  subresources: CustomResourceSubresources | undefined,
): FieldError[] {
  const scale = subresources?.scale
  if (!scale) return []
  const one = (name: keyof typeof scale, starts: readonly string[], where: string): FieldError[] => {
    const at = `${path}.scale.${name}`
    const value = scale[name]
    if (!value) return name === "labelSelectorPath" ? [] : [field.required(at, "")]
    const problems = validateSimplePath(at, value)
    if (problems.length > 0 || starts.some((start) => value.startsWith(start))) return problems
    return [field.invalid(at, value, `should be a json path under ${where}`)]
  }
  return [
    ...one("specReplicasPath", [".spec."], ".spec"),
    ...one("statusReplicasPath", [".status."], ".status"),
    ...one("labelSelectorPath", [".spec.", ".status."], "either .spec or .status"),
  ]
}

function validateSimplePath(path: string, text: string): FieldError[] {
  return text.startsWith(".") ? [] : [field.invalid(path, text, "must be a simple json path starting with .")]
}

function validateColumns(
  path: string,
  columns: readonly CustomResourceColumnDefinition[] | undefined,
): FieldError[] {
  return (columns ?? []).flatMap(({ name, type, format, jsonPath }, i) => {
    const at = `${path}[${i}]`
    const out: FieldError[] = []
    const oneOf = `must be one of ${columnTypes.join(",")}`
    if (!name) out.push(field.required(`${at}.name`, ""))
    if (!type) out.push(field.required(`${at}.type`, oneOf))
    else if (!columnTypes.includes(type)) out.push(field.invalid(`${at}.type`, type, oneOf))
    if (format && !columnFormats.includes(format))
      out.push(field.invalid(`${at}.format`, format, `must be one of ${columnFormats.join(",")}`))
    if (!jsonPath) out.push(field.required(`${at}.JSONPath`, ""))
    else out.push(...validateSimplePath(`${at}.JSONPath`, jsonPath))
    return out
  })
}

const scalars = ["string", "boolean", "integer"]

function validateSelectable(
  path: string,
  schemaPath: string,
  fields: readonly SelectableField[],
  schema: JSONSchemaProps,
  version: string,
  demands: VersionDemands,
): FieldError[] {
  const problem = structureProblem(schema)
  if (problem) return [field.invalid(schemaPath, "", problem)]
  const out: FieldError[] = []
  const seen = new Set<string>()
  for (const [i, { jsonPath }] of fields.entries()) {
    const at = `${path}[${i}].jsonPath`
    if (!jsonPath) {
      out.push(field.required(at, ""))
      continue
    }
    const found = followPath(jsonPath, schema, false)
    if (typeof found === "string") {
      out.push(field.invalid(at, jsonPath, `is an invalid path: ${found}`))
      continue
    }
    if (/^metadata(?:[.[]|$)/.test(found.path))
      out.push(field.invalid(at, jsonPath, "must not point to fields in metadata"))
    if (!scalars.includes(found.schema?.type ?? ""))
      out.push(
        field.invalid(
          at,
          jsonPath,
          "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
        ),
      )
    if (seen.has(found.path)) out.push(field.duplicate(at, jsonPath))
    seen.add(found.path)
  }
  if (seen.size > maxSelectableFields && !demands.manyFields.has(version))
    out.push(field.tooMany(path, seen.size, maxSelectableFields))
  return out
}
