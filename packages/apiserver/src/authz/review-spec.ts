/** What an authorizer outside is asked: a SubjectAccessReview. Mirrors: apiserver plugin/pkg/authorizer/webhook */
import type { FieldRequirement, LabelRequirement } from "@knarr/apimachinery"
import type { AuthorizationAttributes, UserInfo } from "../contract.ts"

/** The spec of a SubjectAccessReview. */
export interface Spec {
  readonly user: string
  readonly groups?: readonly string[]
  readonly uid?: string
  readonly extra?: Readonly<Record<string, readonly string[]>>
  readonly resourceAttributes?: Readonly<Record<string, unknown>>
  readonly nonResourceAttributes?: { readonly path: string; readonly verb: string }
}

export function specOf(user: UserInfo, attributes: AuthorizationAttributes): Spec {
  const { verb, path } = attributes
  return {
    ...(attributes.isResourceRequest
      ? { resourceAttributes: resourceOf(attributes) }
      : { nonResourceAttributes: { path, verb } }),
    user: user.name,
    ...(user.groups.length > 0 ? { groups: user.groups } : {}),
    ...(user.extra && Object.keys(user.extra).length > 0 ? { extra: user.extra } : {}),
    ...(user.uid ? { uid: user.uid } : {}),
  }
}

function resourceOf(attributes: AuthorizationAttributes): Readonly<Record<string, unknown>> {
  const { namespace, verb, apiGroup: group, apiVersion: version, resource, subresource, name } = attributes
  const fields = attributes.fieldSelector?.requirements.map(fieldRequirement) ?? []
  const labels = attributes.labelSelector?.requirements.flatMap(labelRequirement) ?? []
  const all = { namespace, verb, group, version, resource, subresource, name }
  return {
    ...Object.fromEntries(Object.entries(all).filter(([, text]) => text !== "")),
    ...(fields.length > 0 ? { fieldSelector: { requirements: fields } } : {}),
    ...(labels.length > 0 ? { labelSelector: { requirements: labels } } : {}),
  }
}

interface Requirement {
  readonly key: string
  readonly operator: string
  readonly values?: readonly string[]
}

function fieldRequirement({ field, operator, value }: FieldRequirement): Requirement {
  return { key: field, operator: operator === "=" ? "In" : "NotIn", values: [value] }
}

const labelOperators: Readonly<Record<string, string>> = {
  "=": "In",
  "==": "In",
  in: "In",
  "!=": "NotIn",
  notin: "NotIn",
  exists: "Exists",
  "!": "DoesNotExist",
}

/** What is not known narrows nothing. */
function labelRequirement({ key, operator, values }: LabelRequirement): Requirement[] {
  const known = labelOperators[operator]
  return known ? [{ key, operator: known, ...(values.length > 0 ? { values } : {}) }] : []
}
