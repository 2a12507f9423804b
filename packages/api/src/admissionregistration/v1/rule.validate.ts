/** Which requests admission is asked about. Mirrors: pkg/apis/admissionregistration/validation/validation.go */
import { field, isPathSegmentName, validateLabelSelector } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { oneOfDefaulted, oneOfIfSet, reasons, repeated } from "../../checks.ts"
import type { MatchResources, NamedRuleWithOperations, RuleWithOperations } from "./types.gen.ts"

const operations = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]
const scopes = ["*", "Cluster", "Namespaced"]

/** `Exact` or `Equivalent`. */
export const matchPolicies: readonly string[] = ["Equivalent", "Exact"]

function isCrowded(values: readonly string[]): boolean {
  return values.length > 1 && values.includes("*")
}

export function validateRule(path: string, rule: RuleWithOperations): FieldError[] {
  const { apiGroups = [], apiVersions = [], resources = [], scope } = rule
  const out: FieldError[] = []
  const list = (name: string, values: readonly string[], what: string): void => {
    if (values.length === 0) out.push(field.required(`${path}.${name}`, ""))
    if (isCrowded(values))
      out.push(field.invalid(`${path}.${name}`, values, `if '*' is present, must not specify other ${what}`))
  }
  list("operations", rule.operations ?? [], "operations")
  for (const [i, operation] of (rule.operations ?? []).entries())
    if (!operations.includes(operation))
      out.push(field.notSupported(`${path}.operations[${i}]`, operation, operations))
  list("apiGroups", apiGroups, "API groups")
  list("apiVersions", apiVersions, "API versions")
  for (const [i, version] of apiVersions.entries())
    if (version === "") out.push(field.required(`${path}.apiVersions[${i}]`, ""))
  return [
    ...out,
    ...validateResources(`${path}.resources`, resources),
    ...oneOfIfSet(`${path}.scope`, scope, scopes),
  ]
}

function validateResources(path: string, resources: readonly string[]): FieldError[] {
  const out: FieldError[] = []
  if (resources.length === 0) out.push(field.required(path, ""))
  const wholeResources = new Set<string>()
  const wholeSubresources = new Set<string>()
  let lastIsBare = false
  for (const [i, both] of resources.entries()) {
    if (both === "") {
      out.push(field.required(`${path}[${i}]`, ""))
      continue
    }
    const slash = both.indexOf("/")
    if (slash < 0) {
      lastIsBare = both !== "*"
      continue
    }
    const resource = both.slice(0, slash)
    const sub = both.slice(slash + 1)
    const instead = (present: string): number =>
      out.push(field.invalid(`${path}[${i}]`, both, `if '${present}' is present, must not specify ${both}`))
    if (wholeResources.has(resource)) instead(`${resource}/*`)
    if (wholeSubresources.has(sub)) instead(`*/${sub}`)
    if (sub === "*") wholeResources.add(resource)
    if (resource === "*") wholeSubresources.add(sub)
  }
  if (resources.length > 1 && resources.includes("*/*"))
    out.push(field.invalid(path, resources, "if '*/*' is present, must not specify other resources"))
  if (resources.includes("*") && lastIsBare)
    out.push(
      field.invalid(
        path,
        resources,
        "if '*' is present, must not specify other resources without subresources",
      ),
    )
  return out
}

/** What a policy or a binding is for. */
export function validateMatchResources(path: string, match: MatchResources | undefined): FieldError[] {
  if (!match) return []
  const out = oneOfDefaulted(`${path}.matchPolicy`, match.matchPolicy, matchPolicies)
  for (const name of ["namespaceSelector", "objectSelector"] as const)
    if (match[name]) out.push(...validateLabelSelector(match[name], `${path}.${name}`))
    else out.push(field.required(`${path}.${name}`, ""))
  for (const name of ["resourceRules", "excludeResourceRules"] as const)
    for (const [i, rule] of (match[name] ?? []).entries())
      out.push(...validateNamedRule(`${path}.${name}[${i}]`, rule))
  return out
}

function validateNamedRule(path: string, rule: NamedRuleWithOperations): FieldError[] {
  const out: FieldError[] = []
  const names = rule.resourceNames ?? []
  const again = repeated(names)
  for (const [i, name] of names.entries()) {
    out.push(...reasons(`${path}.resourceNames[${i}]`, name, isPathSegmentName(name)))
    if (again.has(i)) out.push(field.duplicate(`${path}.resourceNames[${i}]`, name))
  }
  return [...out, ...validateRule(path, rule)]
}

const mutatingOperations = ["*", "CONNECT", "CREATE", "UPDATE"]

/** What is deleted cannot be changed. */
export function validateMutatingOperations(path: string, match: MatchResources | undefined): FieldError[] {
  return (match?.resourceRules ?? []).flatMap((rule) =>
    (rule.operations ?? [])
      .filter((operation) => !mutatingOperations.includes(operation))
      .map((operation) =>
        field.notSupported(`${path}.resourceRules.operations`, operation, mutatingOperations),
      ),
  )
}
