/** What a question about access must say. Mirrors: pkg/apis/authorization/validation/validation.go */
import type { ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec } from "@knarr/api"
import { field, type FieldError, type KubeObject, validateSelectorRequirement } from "@knarr/apimachinery"

const { child, index } = field

type Review = Pick<SubjectAccessReview, "spec"> & KubeObject

/** `withUser`: whose access is asked must be said. */
export function validateReview(review: Review, withUser: boolean): FieldError[] {
  return [
    ...validateSpec(review.spec ?? {}, withUser),
    ...validateMetadata(review.metadata, "must be empty", ["managedFields"]),
  ]
}

export function validateLocalReview(review: Review): FieldError[] {
  const { spec = {}, metadata } = review
  const out = [
    ...validateSpec(spec, true),
    ...validateMetadata(metadata, "must be empty except for namespace", ["managedFields", "namespace"]),
  ]
  const { resourceAttributes, nonResourceAttributes } = spec
  const asked = resourceAttributes?.namespace ?? ""
  if (resourceAttributes && asked !== (metadata?.namespace ?? ""))
    out.push(field.invalid("spec.resourceAttributes.namespace", asked, "must match metadata.namespace"))
  if (nonResourceAttributes)
    out.push(
      field.invalid(
        "spec.nonResourceAttributes",
        shown(nonResourceAttributes),
        "disallowed on this kind of request",
      ),
    )
  return out
}

function validateMetadata(
  metadata: KubeObject["metadata"] | undefined,
  detail: string,
  may: readonly string[],
): FieldError[] {
  const said = Object.entries(metadata ?? {}).some(([name, value]) => {
    const empty = typeof value === "object" ? Object.keys(value ?? {}).length === 0 : !value
    return !empty && !may.includes(name)
  })
  return said ? [field.invalid("metadata", metadata, detail)] : []
}

function shown({
  path = "",
  verb = "",
}: NonNullable<SubjectAccessReviewSpec["nonResourceAttributes"]>): object {
  return { Path: path, Verb: verb }
}

function validateSpec(spec: SubjectAccessReviewSpec, withUser: boolean): FieldError[] {
  const out: FieldError[] = []
  const { resourceAttributes, nonResourceAttributes } = spec
  if (!resourceAttributes === !nonResourceAttributes)
    out.push(
      field.invalid(
        "spec",
        nonResourceAttributes ? shown(nonResourceAttributes) : null,
        "exactly one of nonResourceAttributes or resourceAttributes must be specified",
      ),
    )
  if (withUser && !spec.user && (spec.groups?.length ?? 0) === 0)
    out.push(field.invalid("spec.user", spec.user ?? "", "at least one of user or group must be specified"))
  if (!resourceAttributes) return out
  const { fieldSelector, labelSelector } = resourceAttributes
  const path = "spec.resourceAttributes"
  out.push(
    ...validateSelector(fieldSelector, child(path, "fieldSelector"), validateFieldRequirement),
    ...validateSelector(labelSelector, child(path, "labelSelector"), (requirement, here) =>
      validateSelectorRequirement(requirement, here, { allowUnknownOperator: true }),
    ),
  )
  return out
}

type Asked = NonNullable<ResourceAttributes["fieldSelector" | "labelSelector"]>
type Requirement = NonNullable<Asked["requirements"]>[number]

function validateSelector(
  selector: Asked | undefined,
  path: string,
  check: (requirement: Requirement, path: string) => FieldError[],
): FieldError[] {
  if (!selector) return []
  const { rawSelector = "", requirements = [] } = selector
  const out: FieldError[] = []
  const at = child(path, "requirements")
  if (rawSelector !== "" && requirements.length > 0) {
    const detail = "may not specified at the same time as requirements"
    out.push(field.invalid(child(path, "rawSelector"), rawSelector, detail))
  }
  if (rawSelector === "" && requirements.length === 0)
    out.push(field.required(at, `when ${path} is specified, requirements or rawSelector is required`))
  requirements.forEach((requirement, i) => out.push(...check(requirement, index(at, i))))
  return out
}

/** Operators that are not known are left to those who decide. */
function validateFieldRequirement({ key, operator, values = [] }: Requirement, path: string): FieldError[] {
  const out: FieldError[] = []
  if (!key) out.push(field.required(child(path, "key"), "must be specified"))
  const at = child(path, "values")
  if ((operator === "In" || operator === "NotIn") && values.length === 0)
    out.push(field.required(at, "must be specified when `operator` is 'In' or 'NotIn'"))
  if ((operator === "Exists" || operator === "DoesNotExist") && values.length > 0)
    out.push(field.forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
  return out
}
