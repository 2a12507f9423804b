/** Which requests are recorded, and how much of them. Mirrors: apiserver pkg/audit/policy, pkg/apis/audit/validation */
import { field, isDNS1123Subdomain, aggregateMessage, type FieldError } from "@knarr/apimachinery"
import { messageOf, type Logger } from "@knarr/base"
import { strictErrorMessage } from "@knarr/apimachinery"
import { parseConfig, readConfigText, type ConfigType } from "@knarr/client"
import type { RequestInfo, UserInfo } from "../contract.ts"

const levels = ["None", "Metadata", "Request", "RequestResponse"] as const
export type Level = (typeof levels)[number]

const stages = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"] as const
export type Stage = (typeof stages)[number]

export interface GroupResources {
  readonly group?: string
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
}

export interface PolicyRule {
  readonly level: Level
  readonly users?: readonly string[]
  readonly userGroups?: readonly string[]
  readonly verbs?: readonly string[]
  readonly resources?: readonly GroupResources[]
  readonly namespaces?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
  readonly omitStages?: readonly Stage[]
  readonly omitManagedFields?: boolean
}

export interface AuditPolicy {
  readonly rules: readonly PolicyRule[]
  readonly omitStages?: readonly Stage[]
  readonly omitManagedFields?: boolean
}

const policyType: ConfigType = {
  apiVersions: ["audit.k8s.io/v1"],
  kind: "Policy",
  packageName: "io.k8s.apiserver.pkg.apis.audit.v1",
  table: {
    Policy: {
      apiVersion: "string",
      kind: "string",
      metadata: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
      omitManagedFields: "boolean",
      omitStages: "[]string",
      rules: "[]PolicyRule",
    },
    PolicyRule: {
      level: "string",
      namespaces: "[]string",
      nonResourceURLs: "[]string",
      omitManagedFields: "boolean",
      omitStages: "[]string",
      resources: "[]GroupResources",
      userGroups: "[]string",
      users: "[]string",
      verbs: "[]string",
    },
    GroupResources: { group: "string", resourceNames: "[]string", resources: "[]string" },
  },
}

/** Reads the policy in a file. Rejects in upstream's words; what only is not known in it is logged. */
export async function loadPolicy(path: string, log: Logger): Promise<AuditPolicy> {
  try {
    const text = await readConfigText(path)
    return await parsePolicy(text, log).catch((thrown: unknown) => {
      throw new Error(`${messageOf(thrown)}: from file ${path}`, { cause: thrown })
    })
  } catch (thrown) {
    throw new Error(`loading audit policy file: ${messageOf(thrown)}`, { cause: thrown })
  }
}

export async function parsePolicy(text: string, log: Logger): Promise<AuditPolicy> {
  const { config, strictErrors } = await parseConfig<AuditPolicy>(text, policyType).catch(
    (thrown: unknown) => {
      throw new Error(`failed decoding: ${messageOf(thrown)}`, { cause: thrown })
    },
  )
  if (strictErrors.length > 0)
    log.warn("The audit policy has errors that are passed over", { err: strictErrorMessage(strictErrors) })
  const errors = [
    ...stageErrors(config.omitStages ?? [], "omitStages"),
    ...(config.rules ?? []).flatMap((rule, i) => ruleErrors(rule, field.index("rules", i))),
  ]
  if (errors.length > 0) throw new Error(aggregateMessage(errors))
  if (!config.rules || config.rules.length === 0) throw new Error("loaded illegal policy with 0 rules")
  return config
}

function stageErrors(omitted: readonly string[], path: string): FieldError[] {
  return omitted.flatMap((stage, i) =>
    stages.includes(stage as Stage)
      ? []
      : [field.invalid(field.index(path, i), stage, `allowed stages are ${stages.join(",")}`)],
  )
}

function ruleErrors(rule: PolicyRule, path: string): FieldError[] {
  const errors: FieldError[] = []
  const levelPath = field.child(path, "level")
  if (!rule.level) errors.push(field.required(levelPath, ""))
  else if (!levels.includes(rule.level)) errors.push(field.notSupported(levelPath, rule.level, levels))
  const urls = rule.nonResourceURLs ?? []
  const urlsPath = field.child(path, "nonResourceURLs")
  for (const [i, url] of urls.entries()) {
    if (url === "*") continue
    if (!url.startsWith("/"))
      errors.push(
        field.invalid(
          field.index(urlsPath, i),
          url,
          "non-resource URL rules must begin with a '/' character",
        ),
      )
    if (url.slice(0, -1).includes("*"))
      errors.push(
        field.invalid(
          field.index(urlsPath, i),
          url,
          "non-resource URL wildcards '*' must be the final character of the rule",
        ),
      )
  }
  const resources = rule.resources ?? []
  const resourcesPath = field.child(path, "resources")
  for (const { group = "", resources: named = [], resourceNames = [] } of resources) {
    const problems = group === "" || group === "*" ? [] : isDNS1123Subdomain(group)
    if (problems.length > 0)
      errors.push(field.invalid(field.child(resourcesPath, "group"), group, problems.join(",")))
    if (resourceNames.length > 0 && named.length === 0)
      errors.push(
        field.invalid(
          field.child(resourcesPath, "resourceNames"),
          resourceNames,
          "using resourceNames requires at least one resource",
        ),
      )
  }
  errors.push(...stageErrors(rule.omitStages ?? [], field.child(path, "omitStages")))
  if (urls.length > 0 && (resources.length > 0 || (rule.namespaces ?? []).length > 0))
    errors.push(
      field.invalid(urlsPath, urls, "rules cannot apply to both regular resources and non-resource URLs"),
    )
  return errors
}

/** What is recorded of one request. */
export interface Recording {
  readonly level: Level
  readonly omitStages: ReadonlySet<Stage>
  readonly omitManagedFields: boolean
}

interface CompiledRule extends Recording {
  readonly users: ReadonlySet<string> | undefined
  readonly groups: ReadonlySet<string> | undefined
  readonly verbs: ReadonlySet<string> | undefined
  readonly namespaces: ReadonlySet<string> | undefined
  readonly resources: readonly GroupResources[] | undefined
  readonly paths: readonly string[] | undefined
}

/** A policy that is ready to be asked: the first rule that matches counts. */
export class PolicyEvaluator {
  readonly #rules: readonly CompiledRule[]
  readonly #otherwise: Recording

  constructor(policy: AuditPolicy) {
    const omitted = policy.omitStages ?? []
    const omitManagedFields = policy.omitManagedFields ?? false
    this.#otherwise = { level: "None", omitStages: new Set(omitted), omitManagedFields }
    this.#rules = policy.rules.map((rule) => ({
      level: rule.level,
      omitStages: new Set([...omitted, ...(rule.omitStages ?? [])]),
      omitManagedFields: rule.omitManagedFields ?? omitManagedFields,
      users: setOf(rule.users),
      groups: setOf(rule.userGroups),
      verbs: setOf(rule.verbs),
      namespaces: setOf(rule.namespaces),
      resources: rule.resources?.length ? rule.resources : undefined,
      paths: rule.nonResourceURLs?.length ? rule.nonResourceURLs : undefined,
    }))
  }

  /** `user` is undefined when nobody knows who asks. */
  evaluate(user: UserInfo | undefined, info: RequestInfo): Recording {
    return this.#rules.find((rule) => matches(rule, user, info)) ?? this.#otherwise
  }
}

function setOf(items: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return items && items.length > 0 ? new Set(items) : undefined
}

function matches(rule: CompiledRule, user: UserInfo | undefined, info: RequestInfo): boolean {
  const { users, groups, verbs, namespaces, resources, paths } = rule
  if (users && !(user && users.has(user.name))) return false
  if (groups && !user?.groups.some((group) => groups.has(group))) return false
  if (verbs && !verbs.has(info.verb)) return false
  if (namespaces || resources) {
    if (!info.isResourceRequest || (namespaces && !namespaces.has(info.namespace))) return false
    return !resources || resources.some((one) => matchesResource(one, info))
  }
  return !paths || (!info.isResourceRequest && paths.some((path) => matchesPath(path, info.path)))
}

function matchesPath(rule: string, path: string): boolean {
  if (rule === "*" || rule === path) return true
  return rule.endsWith("*") && path.startsWith(rule.replace(/\*+$/, ""))
}

function matchesResource(
  { group = "", resources = [], resourceNames = [] }: GroupResources,
  { apiGroup, resource, subresource, name }: RequestInfo,
): boolean {
  if (group !== apiGroup && group !== "*") return false
  if (resources.length === 0) return true
  if (resourceNames.length > 0 && !resourceNames.includes(name)) return false
  return resources.some((rule) => {
    if (rule === "*" || rule === (subresource === "" ? resource : `${resource}/${subresource}`)) return true
    return (subresource !== "" && rule === `*/${subresource}`) || rule === `${resource}/*`
  })
}
