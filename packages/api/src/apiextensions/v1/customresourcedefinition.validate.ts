/**
 * Validation of definitions of custom resources.
 * Mirrors: apiextensions pkg/apis/apiextensions/validation/validation.go (ValidateCustomResourceDefinition)
 */
import {
  field,
  goQuote,
  isDNS1035Label,
  isDNS1123Subdomain,
  nameIsDNSSubdomain,
  semanticEqual,
  validateObjectMetaUpdate,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutable, oneOf, reasons, repeated, required } from "../../checks.ts"
import { goValue } from "../../go-value.ts"
import { validateClientConfig } from "../../webhook-client.validate.ts"
import { hoist } from "./hoisted-spec.ts"
import { hasNonAtomicSet, validateMapKeys } from "./openapi-schema.validate.ts"
import { schemaHas } from "./schema-walk.ts"
import { structureProblem, validateStructural } from "./structural-schema.ts"
import type {
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  JSONSchemaProps,
} from "./types.gen.ts"
import { validateShared, validateVersion, type VersionDemands } from "./version.validate.ts"

const reviewVersions = ["v1", "v1beta1"]
const types = new Set(["string", "number", "integer", "boolean", "array", "object"])
const maxSelectableFields = 8

interface Demands extends VersionDemands {
  readonly schemas: boolean
  readonly knownReview: boolean
  readonly fixedNames: boolean
}

function schemasOf(spec: CustomResourceDefinitionSpec): JSONSchemaProps[] {
  return (spec.versions ?? []).flatMap(({ schema }) =>
    schema?.openAPIV3Schema ? [schema.openAPIV3Schema] : [],
  )
}

/** What is demanded: all of it of a new definition, and of an update what its predecessor did right. */
function demandsOf(
  now: Readonly<CustomResourceDefinition>,
  old: Readonly<CustomResourceDefinition> | undefined,
): Demands {
  const before = old?.spec
  const schemas = before ? schemasOf(before) : []
  const none = (test: (schema: JSONSchemaProps) => boolean): boolean =>
    !schemas.some((schema) => schemaHas(schema, test))
  const isNew = now.spec.preserveUnknownFields !== true
  const review = before?.conversion?.webhook?.conversionReviewVersions ?? []
  return {
    schemas: !before || schemas.length === (before.versions ?? []).length,
    types: none(({ type }) => Boolean(type) && !types.has(type!)),
    structural:
      isNew ||
      schemas.every((schema) => !structureProblem(schema) && validateStructural("", schema).length === 0),
    atomicSets: none(hasNonAtomicSet),
    mapKeys: none((schema) => validateMapKeys("", schema).length > 0),
    knownReview: review.length === 0 || review.some((version) => reviewVersions.includes(version)),
    fixedNames:
      old?.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True") ??
      false,
    sameSchemas: new Set(
      (now.spec.versions ?? [])
        .filter(({ name, schema }) =>
          before?.versions?.some((one) => one.name === name && semanticEqual(one.schema, schema)),
        )
        .map(({ name }) => name),
    ),
    manyFields: new Set(
      (before?.versions ?? [])
        .filter(({ selectableFields = [], name }) => {
          const same = now.spec.versions?.find((version) => version.name === name)
          return (
            selectableFields.length > maxSelectableFields &&
            semanticEqual(same?.selectableFields, selectableFields)
          )
        })
        .flatMap(({ name }) => [name, ""]),
    ),
  }
}

export function validateDefinition(
  definition: Readonly<CustomResourceDefinition>,
  old?: Readonly<CustomResourceDefinition>,
): FieldError[] {
  const { metadata, spec, status } = definition
  const demands = demandsOf(definition, old)
  const out: FieldError[] = []
  // Told again beside what is told of the metadata of every kind.
  if (old) out.push(...validateObjectMetaUpdate(metadata, old.metadata, "metadata"))
  out.push(...validateSpec(spec, demands))
  if (old) {
    if (demands.fixedNames)
      out.push(
        ...immutable("spec.scope", spec.scope, old.spec.scope),
        ...immutable("spec.names.kind", spec.names.kind, old.spec.names.kind),
      )
    out.push(
      ...immutable("spec.group", spec.group, old.spec.group),
      ...immutable("spec.names.plural", spec.names.plural, old.spec.names.plural),
    )
  }
  out.push(
    ...validateNames("status.acceptedNames", status?.acceptedNames),
    ...validateStoredVersions(definition),
    ...validateApproval(definition, old),
  )
  if (spec.preserveUnknownFields === true && old?.spec.preserveUnknownFields !== true)
    out.push(
      field.invalid(
        "spec.preserveUnknownFields",
        true,
        "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
      ),
    )
  return out
}

/** A definition is called after what it defines. */
export function nameOfDefinition(
  name: string,
  prefix: boolean,
  { spec }: Readonly<CustomResourceDefinition>,
): string[] {
  const out = nameIsDNSSubdomain(name, prefix)
  if (name !== `${spec.names?.plural ?? ""}.${spec.group ?? ""}`)
    out.push('must be spec.names.plural+"."+spec.group')
  return out
}

export function validateDefinitionStatus({ status }: Readonly<CustomResourceDefinition>): FieldError[] {
  return validateNames("status.acceptedNames", status?.acceptedNames)
}

/** Several problems of one value in one error. */
function joined(path: string, value: string, why: readonly string[], before = ""): FieldError[] {
  return why.length > 0 ? [field.invalid(path, value, before + why.join(","))] : []
}

function validateSpec(spec: CustomResourceDefinitionSpec, demands: Demands): FieldError[] {
  const out: FieldError[] = []
  const { group, versions = [], names } = spec
  if (!group) out.push(field.required("spec.group", ""))
  else if (isDNS1123Subdomain(group).length > 0)
    out.push(...joined("spec.group", group, isDNS1123Subdomain(group)))
  else if (!group.includes("."))
    out.push(field.invalid("spec.group", group, "should be a domain with at least one dot"))
  out.push(...oneOf("spec.scope", spec.scope, ["Cluster", "Namespaced"]))
  const hoisted = hoist(spec)
  if (!hoisted.schema?.openAPIV3Schema)
    for (const [i, version] of hoisted.versions.entries()) {
      if (version.schema?.openAPIV3Schema) continue
      const at = `spec.versions[${i}].schema.openAPIV3Schema`
      if (demands.schemas) out.push(field.required(at, ""))
      else if (spec.preserveUnknownFields !== true && version.served)
        out.push(field.required(at, "because otherwise all fields are pruned"))
    }
  const hasDefaults = schemasOf(spec).some((schema) => schemaHas(schema, (one) => one.default !== undefined))
  if (hasDefaults && spec.preserveUnknownFields === true)
    out.push(
      field.invalid(
        "spec.preserveUnknownFields",
        true,
        "must be false in order to use defaults in the schema",
      ),
    )
  const own = hoisted.versions.some(({ subresources }) => subresources)
  for (const [i, version] of hoisted.versions.entries()) {
    const at = `spec.versions[${i}]`
    out.push(...joined(`${at}.name`, version.name ?? "", isDNS1035Label(version.name ?? "")))
    const subresources = own ? version.subresources : hoisted.subresources
    out.push(...validateVersion(at, version, subresources?.status !== undefined, demands))
  }
  const goVersions = goValue(
    "[]apiextensions.CustomResourceDefinitionVersion",
    spec.versions && hoisted.versions,
  )
  const unique = new Set(versions.map(({ name }) => name))
  if (unique.size < versions.length)
    out.push(field.invalid("spec.versions", goVersions, "must contain unique version names"))
  if (versions.filter(({ storage }) => storage).length !== 1)
    out.push(
      field.invalid("spec.versions", goVersions, "must have exactly one version marked as storage version"),
    )
  const first = versions[0]?.name
  if (first) out.push(...joined("spec.version", first, isDNS1035Label(first)))
  for (const name of ["plural", "singular", "kind", "listKind"] as const)
    out.push(...required(`spec.names.${name}`, names?.[name]))
  const withStatus = versions.some(({ subresources }) => subresources?.status !== undefined)
  out.push(...validateNames("spec.names", names), ...validateShared(hoisted, withStatus, demands))
  if (spec.conversion && spec.conversion.strategy !== "None" && spec.preserveUnknownFields === true)
    out.push(
      field.invalid(
        "spec.conversion.strategy",
        spec.conversion.strategy,
        "must be None if spec.preserveUnknownFields is true",
      ),
    )
  return [...out, ...validateConversion("spec.conversion", spec.conversion, demands)]
}

function validateNames(path: string, names: CustomResourceDefinitionNames | undefined): FieldError[] {
  const { plural, singular, kind, listKind, shortNames, categories } = names ?? {}
  const mixed = "may have mixed case, but should otherwise match: "
  const out: FieldError[] = []
  if (plural) out.push(...joined(`${path}.plural`, plural, isDNS1035Label(plural)))
  if (singular) out.push(...joined(`${path}.singular`, singular, isDNS1035Label(singular)))
  if (kind) out.push(...joined(`${path}.kind`, kind, isDNS1035Label(kind.toLowerCase()), mixed))
  if (listKind)
    out.push(...joined(`${path}.listKind`, listKind, isDNS1035Label(listKind.toLowerCase()), mixed))
  for (const [i, name] of (shortNames ?? []).entries())
    out.push(...joined(`${path}.shortNames[${i}]`, name, isDNS1035Label(name)))
  if (kind && kind === listKind)
    out.push(field.invalid(`${path}.listKind`, listKind, "kind and listKind may not be the same"))
  for (const [i, name] of (categories ?? []).entries())
    out.push(...joined(`${path}.categories[${i}]`, name, isDNS1035Label(name)))
  return out
}

function validateConversion(
  path: string,
  conversion: CustomResourceConversion | undefined,
  { knownReview }: Demands,
): FieldError[] {
  if (!conversion) return []
  const out = oneOf(`${path}.strategy`, conversion.strategy, ["None", "Webhook"])
  const { clientConfig, conversionReviewVersions = [] } = conversion.webhook ?? {}
  const clientPath = `${path}.webhookClientConfig`
  const versionsPath = `${path}.conversionReviewVersions`
  if (conversion.strategy !== "Webhook") {
    const detail = "should not be set when strategy is not set to Webhook"
    if (clientConfig) out.push(field.forbidden(clientPath, detail))
    if (conversionReviewVersions.length > 0) out.push(field.forbidden(versionsPath, detail))
    return out
  }
  if (clientConfig) out.push(...validateClientConfig(clientPath, clientConfig))
  else out.push(field.required(clientPath, "required when strategy is set to Webhook"))
  if (conversionReviewVersions.length === 0) return [...out, field.required(versionsPath, "")]
  const again = repeated(conversionReviewVersions)
  for (const [i, version] of conversionReviewVersions.entries())
    if (again.has(i)) out.push(field.invalid(`${versionsPath}[${i}]`, version, "duplicate version"))
    else out.push(...reasons(`${versionsPath}[${i}]`, version, isDNS1035Label(version)))
  if (knownReview && !conversionReviewVersions.some((version) => reviewVersions.includes(version)))
    out.push(
      field.invalid(
        versionsPath,
        conversionReviewVersions,
        `must include at least one of ${reviewVersions.join(", ")}`,
      ),
    )
  return out
}

/** Versions in which objects may be stored stay until somebody has moved them. */
function validateStoredVersions({ spec, status }: Readonly<CustomResourceDefinition>): FieldError[] {
  const path = "status.storedVersions"
  const stored = status?.storedVersions ?? []
  if (stored.length === 0)
    return [field.invalid(path, status?.storedVersions ?? null, "must have at least one stored version")]
  const out: FieldError[] = []
  for (const { name, storage } of spec.versions ?? [])
    if (storage && !stored.includes(name))
      out.push(field.invalid(path, stored, `must have the storage version ${name}`))
  const there = new Set(spec.versions?.map(({ name }) => name))
  for (const [i, name] of stored.entries())
    if (!there.has(name))
      out.push(
        field.invalid(
          `${path}[${i}]`,
          name,
          `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
        ),
      )
  return out
}

const approval = "api-approved.kubernetes.io"
const seeAlso = "see https://github.com/kubernetes/enhancements/pull/1111"

type Approval = "missing" | "bypassed" | "approved" | "invalid"

function approvalOf(annotation: string): Approval {
  if (annotation === "") return "missing"
  if (annotation.startsWith("unapproved")) return "bypassed"
  return /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/?#\s]+/.test(annotation) ? "approved" : "invalid"
}

/** Groups of the community's are for what it has approved. */
function validateApproval(
  { metadata, spec }: Readonly<CustomResourceDefinition>,
  old: Readonly<CustomResourceDefinition> | undefined,
): FieldError[] {
  if (!/(?:^|\.)(?:k8s|kubernetes)\.io$/.test(spec.group ?? "")) return []
  const annotation = metadata.annotations?.[approval] ?? ""
  const state = approvalOf(annotation)
  if (old && approvalOf(old.metadata.annotations?.[approval] ?? "") === state) return []
  const path = `metadata.annotations[${approval}]`
  const must = `protected groups must have approval annotation ${goQuote(approval)}`
  if (state === "missing") return [field.required(path, `${must}, ${seeAlso}`)]
  if (state !== "invalid") return []
  const detail = `${must} with either a URL or a reason starting with "unapproved", ${seeAlso}`
  return [field.invalid(path, annotation, detail)]
}
