/** Validation of roles and bindings. Mirrors: pkg/apis/rbac/validation/validation.go */
import {
  deepEqual,
  field,
  isPathSegmentName,
  nameIsDNSSubdomain,
  selectorFrom,
  validateLabelSelector,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutableMessage, reasons } from "../../checks.ts"
import { goValue } from "../../go-value.ts"
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from "./types.gen.ts"

const group = "rbac.authorization.k8s.io"

function validateRule(path: string, rule: PolicyRule, namespaced: boolean): FieldError[] {
  const out: FieldError[] = []
  const urls = rule.nonResourceURLs ?? []
  const resources = rule.resources ?? []
  const groups = rule.apiGroups ?? []
  if (urls.length > 0) {
    const at = `${path}.nonResourceURLs`
    if (namespaced) out.push(field.invalid(at, urls, "namespaced rules cannot apply to non-resource URLs"))
    if (groups.length > 0 || resources.length > 0 || rule.resourceNames?.length)
      out.push(field.invalid(at, urls, "rules cannot apply to both regular resources and non-resource URLs"))
    return out
  }
  if (groups.length === 0)
    out.push(field.required(`${path}.apiGroups`, "resource rules must supply at least one api group"))
  if (resources.length === 0)
    out.push(field.required(`${path}.resources`, "resource rules must supply at least one resource"))
  return out
}

/** What the types themselves declare is told last. */
function declaredVerbs(rules: readonly PolicyRule[] | undefined): FieldError[] {
  return (rules ?? []).flatMap(({ verbs }, i) =>
    verbs?.length ? [] : [field.required(`rules[${i}].verbs`, "")],
  )
}

export function validateRole({ rules }: Readonly<Role>): FieldError[] {
  const out = (rules ?? []).flatMap((rule, i) => validateRule(`rules[${i}]`, rule, true))
  return [...out, ...declaredVerbs(rules)]
}

export function validateClusterRole({ rules, aggregationRule }: Readonly<ClusterRole>): FieldError[] {
  const out = (rules ?? []).flatMap((rule, i) => validateRule(`rules[${i}]`, rule, false))
  if (!aggregationRule) return [...out, ...declaredVerbs(rules)]
  const path = "aggregationRule.clusterRoleSelectors"
  const selectors = aggregationRule.clusterRoleSelectors ?? []
  if (selectors.length === 0)
    out.push(field.required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
  selectors.forEach((selector, i) => {
    out.push(...validateLabelSelector(selector, `${path}[${i}]`))
    try {
      selectorFrom(selector)
    } catch {
      out.push(field.invalid(`${path}[${i}]`, null, "invalid label selector."))
    }
  })
  return [...out, ...declaredVerbs(rules)]
}

function validateSubject(path: string, subject: Subject, namespaced: boolean): FieldError[] {
  const out: FieldError[] = []
  const { kind, name, namespace, apiGroup = "" } = subject
  if (kind === "ServiceAccount") {
    if (name) out.push(...reasons(`${path}.name`, name, nameIsDNSSubdomain(name, false)))
    if (apiGroup) out.push(field.notSupported(`${path}.apiGroup`, apiGroup, [""]))
    if (!namespaced && !namespace) out.push(field.required(`${path}.namespace`, ""))
  } else if (kind === "User" || kind === "Group") {
    if (apiGroup !== group) out.push(field.notSupported(`${path}.apiGroup`, apiGroup, [group]))
  } else out.push(field.notSupported(`${path}.kind`, kind ?? "", ["ServiceAccount", "User", "Group"]))
  return out
}

function validateBinding(
  { roleRef, subjects }: Readonly<RoleBinding | ClusterRoleBinding>,
  namespaced: boolean,
): FieldError[] {
  const out: FieldError[] = []
  const kinds = namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"]
  if (roleRef.apiGroup !== group)
    out.push(field.notSupported("roleRef.apiGroup", roleRef.apiGroup ?? "", [group]))
  if (!kinds.includes(roleRef.kind)) out.push(field.notSupported("roleRef.kind", roleRef.kind ?? "", kinds))
  if (roleRef.name) out.push(...reasons("roleRef.name", roleRef.name, isPathSegmentName(roleRef.name)))
  subjects?.forEach((subject, i) => out.push(...validateSubject(`subjects[${i}]`, subject, namespaced)))
  // What the types themselves declare is told last.
  if (!roleRef.name) out.push(field.required("roleRef.name", ""))
  subjects?.forEach(({ name }, i) => {
    if (!name) out.push(field.required(`subjects[${i}].name`, ""))
  })
  return out
}

export function validateRoleBinding(binding: Readonly<RoleBinding>): FieldError[] {
  return validateBinding(binding, true)
}

export function validateClusterRoleBinding(binding: Readonly<ClusterRoleBinding>): FieldError[] {
  return validateBinding(binding, false)
}

/** What a binding grants never changes; whom it grants it to may. */
export function validateBindingUpdate(
  binding: Readonly<RoleBinding | ClusterRoleBinding>,
  old: Readonly<RoleBinding | ClusterRoleBinding>,
): FieldError[] {
  if (deepEqual(binding.roleRef, old.roleRef)) return []
  const goRef = goValue("rbac.RoleRef", binding.roleRef)
  return [field.invalid("roleRef", goRef, immutableMessage)]
}
