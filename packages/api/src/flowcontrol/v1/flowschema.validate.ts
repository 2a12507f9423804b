/** Validation of flow schemas. Mirrors: pkg/apis/flowcontrol/validation/validation.go (ValidateFlowSchema) */
import { field, nameIsDNSLabel, nameIsDNSSubdomain, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { reasons } from "../../checks.ts"
import { mandatoryFlowSchemas } from "./mandatory.ts"
import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from "./types.gen.ts"

const maxPrecedence = 10_000
const methods = ["ByNamespace", "ByUser"]
const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"]

export function validateFlowSchema(schema: Readonly<FlowSchema>): FieldError[] {
  const { metadata, spec } = schema
  const name = metadata.name ?? ""
  const out: FieldError[] = []
  const precedence = spec.matchingPrecedence ?? 0
  const wrong = (detail: string): number =>
    out.push(field.invalid("spec.matchingPrecedence", precedence, detail))
  if (precedence <= 0) wrong("must be a positive value")
  if (precedence > maxPrecedence) wrong(`must not be greater than ${maxPrecedence}`)
  if (precedence === 1 && name !== "exempt")
    wrong("only the schema named 'exempt' may have matchingPrecedence 1")
  const method = spec.distinguisherMethod
  if (method && !methods.includes(method.type))
    out.push(field.notSupported("spec.distinguisherMethod.type", { Type: method.type }, methods))
  const level = spec.priorityLevelConfiguration?.name
  const levelPath = "spec.priorityLevelConfiguration.name"
  if (level) out.push(...reasons(levelPath, level, nameIsDNSSubdomain(level, false)))
  else out.push(field.required(levelPath, "must reference a priority level"))
  for (const [i, rule] of (spec.rules ?? []).entries()) out.push(...validateRule(`spec.rules[${i}]`, rule))
  const fixed = mandatoryFlowSchemas[name]
  if (fixed && !semanticEqual(spec, fixed))
    out.push(field.invalid("spec", spec, `spec of '${name}' must equal the fixed value`))
  return [...out, ...validateFlowSchemaStatus(schema)]
}

function validateRule(path: string, rule: PolicyRulesWithSubjects): FieldError[] {
  const { subjects = [], resourceRules = [], nonResourceRules = [] } = rule
  const out: FieldError[] = []
  for (const [i, subject] of subjects.entries())
    out.push(...validateSubject(`${path}.subjects[${i}]`, subject))
  if (subjects.length === 0)
    out.push(field.required(`${path}.subjects`, "subjects must contain at least one value"))
  if (resourceRules.length === 0 && nonResourceRules.length === 0)
    out.push(field.required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
  for (const [i, one] of resourceRules.entries())
    out.push(...validateResourceRule(`${path}.resourceRules[${i}]`, one))
  for (const [i, one] of nonResourceRules.entries())
    out.push(...validateNonResourceRule(`${path}.nonResourceRules[${i}]`, one))
  return out
}

const subjectFields = { ServiceAccount: "serviceAccount", User: "user", Group: "group" } as const

function validateSubject(path: string, subject: Subject): FieldError[] {
  const kinds = Object.keys(subjectFields) as (keyof typeof subjectFields)[]
  const kind = kinds.find((one) => one === subject.kind)
  if (!kind)
    return [field.notSupported(`${path}.kind`, subject.kind ?? "", ["Group", "ServiceAccount", "User"])]
  const own = subjectFields[kind]
  const at = `${path}.${own}`
  const value = subject[own]
  const out: FieldError[] = []
  if (!value) out.push(field.required(at, `${own} is required when subject kind is '${kind}'`))
  else {
    const { name } = value
    if (!name) out.push(field.required(`${at}.name`, ""))
    else if (kind === "ServiceAccount" && name !== "*")
      out.push(...reasons(`${at}.name`, name, nameIsDNSSubdomain(name, false)))
  }
  if (kind === "ServiceAccount" && subject.serviceAccount) {
    const { namespace } = subject.serviceAccount
    if (namespace) out.push(...reasons(`${at}.namespace`, namespace, nameIsDNSLabel(namespace, false)))
    else out.push(field.required(`${at}.namespace`, "must specify namespace for service account"))
  }
  for (const other of kinds) {
    const name = subjectFields[other]
    if (other !== kind && subject[name])
      out.push(field.forbidden(`${path}.${name}`, `${name} is forbidden when subject kind is not '${other}'`))
  }
  return out
}

function validateVerbs(path: string, wanted: readonly string[]): FieldError[] {
  if (wanted.length === 0) return [field.required(path, "verbs must contain at least one value")]
  if (wanted.includes("*"))
    return wanted.length > 1
      ? [field.invalid(path, wanted, "if '*' is present, must not specify other verbs")]
      : []
  return wanted.every((verb) => verbs.includes(verb)) ? [] : [field.notSupported(path, wanted, verbs)]
}

function validateResourceRule(path: string, rule: ResourcePolicyRule): FieldError[] {
  const { apiGroups = [], resources = [], namespaces = [] } = rule
  const out = validateVerbs(`${path}.verbs`, rule.verbs ?? [])
  const list = (name: string, values: readonly string[], one: string, others: string): void => {
    const at = `${path}.${name}`
    if (values.length === 0) out.push(field.required(at, `resource rules must supply at least one ${one}`))
    else if (values.length > 1 && values.includes("*"))
      out.push(field.invalid(at, values, `if '*' is present, must not specify other ${others}`))
  }
  list("apiGroups", apiGroups, "api group", "api groups")
  list("resources", resources, "resource", "resources")
  const at = `${path}.namespaces`
  if (namespaces.length === 0 && !rule.clusterScope)
    out.push(
      field.required(at, "resource rules that are not cluster scoped must supply at least one namespace"),
    )
  else if (namespaces.includes("*")) {
    if (namespaces.length > 1)
      out.push(field.invalid(at, namespaces, "if '*' is present, must not specify other namespaces"))
  } else
    for (const [i, namespace] of namespaces.entries())
      for (const reason of nameIsDNSLabel(namespace, false))
        out.push(
          field.invalid(
            `${at}[${i}]`,
            namespace,
            `each member of this list must be '*' or a DNS-1123 label; ${reason}`,
          ),
        )
  return out
}

function validateNonResourceRule(path: string, rule: NonResourcePolicyRule): FieldError[] {
  const out = validateVerbs(`${path}.verbs`, rule.verbs ?? [])
  const urls = rule.nonResourceURLs ?? []
  const at = `${path}.nonResourceURLs`
  if (urls.length === 0) out.push(field.required(at, "nonResourceURLs must contain at least one value"))
  else if (urls.includes("*")) {
    if (urls.length > 1)
      out.push(field.invalid(at, urls, "if '*' is present, must not specify other non-resource URLs"))
  } else
    for (const [i, url] of urls.entries()) {
      const problem = urlProblem(url)
      if (problem) out.push(field.invalid(`${at}[${i}]`, url, problem))
    }
  return out
}

function urlProblem(url: string): string | undefined {
  if (url === "") return "must not be empty"
  if (url === "/") return undefined
  if (!url.startsWith("/")) return "must start with slash"
  if (url.includes(" ")) return "must not contain white-space"
  if (url.includes("//")) return "must not contain double slash"
  const stars = url.split("*").length - 1
  return stars > 1 || (stars === 1 && !url.endsWith("/*"))
    ? "wildcard can only do suffix matching"
    : undefined
}

interface Reporting {
  readonly status?:
    | { readonly conditions?: readonly { readonly type?: string | undefined }[] | undefined }
    | undefined
}

/** There is one condition of a type. Holds for priority levels, too. */
export function validateFlowSchemaStatus({ status }: Reporting): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  for (const [i, { type = "" }] of (status?.conditions ?? []).entries()) {
    const at = `status.conditions[${i}].type`
    if (seen.has(type)) out.push(field.duplicate(at, type))
    seen.add(type)
    if (type === "") out.push(field.required(at, ""))
  }
  return out
}
