/**
 * What a SubjectAccessReview asks, as the authorizers are asked it.
 * Mirrors: pkg/registry/authorization/util/helpers.go
 */
import type { ResourceAttributes, SubjectAccessReviewSpec } from "@knarr/api"
import {
  aggregate,
  type FieldRequirement,
  type LabelOperator,
  type LabelRequirement,
  labelRequirement,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { AskedSelector, AuthorizationAttributes } from "../contract.ts"
import { askedFields, askedLabels, resourceAttributes } from "./attributes.ts"

/** The attributes of a spec that has either resource or other attributes. */
export function reviewAttributes(spec: SubjectAccessReviewSpec): AuthorizationAttributes {
  const r = spec.resourceAttributes
  if (!r)
    return resourceAttributes({
      verb: spec.nonResourceAttributes?.verb ?? "",
      apiVersion: "",
      resource: "",
      path: spec.nonResourceAttributes?.path ?? "",
      isResourceRequest: false,
    })
  return resourceAttributes({
    verb: r.verb ?? "",
    apiGroup: r.group ?? "",
    apiVersion: r.version || "*",
    resource: r.resource ?? "",
    subresource: r.subresource ?? "",
    namespace: r.namespace ?? "",
    name: r.name ?? "",
    fieldSelector: fieldsOf(r.fieldSelector),
    labelSelector: labelsOf(r.labelSelector),
  })
}

/** What went wrong while a review was decided; "" for nothing. */
export function evaluationError(error: Error | undefined, attributes: AuthorizationAttributes): string {
  const { fieldSelector, labelSelector } = attributes
  const parts = error ? [error.message] : []
  for (const [name, asked] of Object.entries({ fieldSelector, labelSelector })) {
    if (asked?.error === undefined) continue
    const ignored = asked.requirements.length > 0 ? "partially ignored" : "ignored"
    parts.push(`spec.resourceAttributes.${name} ${ignored} due to parse error`)
  }
  return parts.join("; ")
}

function fieldsOf(asked: ResourceAttributes["fieldSelector"]): AskedSelector<FieldRequirement> | undefined {
  if (!asked?.requirements?.length) return askedFields(asked?.rawSelector)
  return requirementsOf(asked.requirements, ({ key = "", operator, values = [] }) => {
    if (values.length > 1) throw new Error("fieldSelectors do not yet support multiple values")
    switch (operator) {
      case "In":
        if (values.length !== 1) throw new Error("fieldSelectors in must have one value")
        return { field: key, operator: "=", value: values[0]! }
      case "NotIn":
        if (values.length !== 1) throw new Error("fieldSelectors not in must have one value")
        return { field: key, operator: "!=", value: values[0]! }
      case "Exists":
      case "DoesNotExist":
        throw new Error(`fieldSelectors do not yet support ${operator}`)
      default:
        throw new Error(`${JSON.stringify(operator)} is not a valid field selector operator`)
    }
  })
}

const labelOperators: ReadonlyMap<string, LabelOperator> = new Map([
  ["In", "in"],
  ["NotIn", "notin"],
  ["Exists", "exists"],
  ["DoesNotExist", "!"],
])

function labelsOf(asked: ResourceAttributes["labelSelector"]): AskedSelector<LabelRequirement> | undefined {
  if (!asked?.requirements?.length) return askedLabels(asked?.rawSelector)
  return requirementsOf(asked.requirements, ({ key = "", operator = "", values = [] }) => {
    const known = labelOperators.get(operator)
    if (!known) throw new Error(`${JSON.stringify(operator)} is not a valid label selector operator`)
    return labelRequirement(key, known, values)
  })
}

/** Terms that cannot be read are left out: that asks for more, never for less. */
function requirementsOf<Term, R>(terms: readonly Term[], read: (term: Term) => R): AskedSelector<R> {
  const requirements: R[] = []
  const errors: string[] = []
  for (const term of terms) {
    try {
      requirements.push(read(term))
    } catch (thrown) {
      errors.push(messageOf(thrown))
    }
  }
  return errors.length === 0 ? { requirements } : { requirements, error: aggregate(errors) }
}
