/** Validation of resource quotas and limit ranges. Mirrors: pkg/apis/core/validation/validation.go */
import { compareQuantities, field, isQualifiedName, parseQuantity, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutableMessage, reasons } from "../../checks.ts"
import {
  validateContainerResourceName,
  validateResourceName,
  validateResourceQuantity,
} from "./resources.validate.ts"
import type { LimitRange, LimitRangeItem, ResourceQuota } from "./types.gen.ts"

const scopes = new Set([
  "Terminating",
  "NotTerminating",
  "BestEffort",
  "NotBestEffort",
  "PriorityClass",
  "CrossNamespacePodAffinity",
  "VolumeAttributesClass",
])
const podOnly = new Set([
  "NotBestEffort",
  "Terminating",
  "NotTerminating",
  "PriorityClass",
  "CrossNamespacePodAffinity",
])
const standardQuota = new Set(
  `cpu memory ephemeral-storage requests.cpu requests.memory requests.storage requests.ephemeral-storage
  limits.cpu limits.memory limits.ephemeral-storage pods resourcequotas services replicationcontrollers secrets
  persistentvolumeclaims configmaps services.nodeports services.loadbalancers`.split(/\s+/),
)
const computeQuota = new Set(
  "pods cpu memory requests.cpu requests.memory limits.cpu limits.memory".split(" "),
)

function validateQuotaName(path: string, name: string): FieldError[] {
  const out = validateResourceName(path, name)
  if (name.includes("/") || standardQuota.has(name) || /^(requests\.)?hugepages-/.test(name)) return out
  return [...out, field.invalid(path, name, "must be a standard resource for quota")]
}

export function validateResourceQuota({ spec, status }: Readonly<ResourceQuota>): FieldError[] {
  const out: FieldError[] = []
  for (const [path, list] of [
    ["spec.hard", spec.hard],
    ["status.hard", status.hard],
    ["status.used", status.used],
  ] as const) {
    for (const name of Object.keys(list ?? {}).sort()) {
      const at = `${path}[${name}]`
      out.push(...validateQuotaName(at, name), ...validateResourceQuantity(at, name, list![name]!))
    }
  }
  const hard = Object.keys(spec.hard ?? {})
  const given = spec.scopes ?? []
  for (const scope of given) {
    if (!scopes.has(scope)) out.push(field.invalid("spec.scopes", given, "unsupported scope"))
    for (const name of hard) {
      const unsupported =
        (scope === "BestEffort" && computeQuota.has(name) && name !== "pods") ||
        (podOnly.has(scope) &&
          standardQuota.has(name) &&
          !computeQuota.has(name) &&
          scope !== "PriorityClass")
      if (unsupported) out.push(field.invalid("spec.scopes", given, "unsupported scope applied to resource"))
    }
  }
  for (const [one, other] of [
    ["BestEffort", "NotBestEffort"],
    ["Terminating", "NotTerminating"],
  ])
    if (given.includes(one!) && given.includes(other!))
      out.push(field.invalid("spec.scopes", given, "conflicting scopes"))
  spec.scopeSelector?.matchExpressions?.forEach(({ scopeName, operator, values = [] }) => {
    const path = "spec.scopeSelector.matchExpressions"
    if (!scopes.has(scopeName)) out.push(field.invalid(`${path}.scopeName`, scopeName, "unsupported scope"))
    if (
      ["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"].includes(
        scopeName,
      )
    ) {
      if (operator !== "Exists")
        out.push(
          field.invalid(
            `${path}.operator`,
            operator,
            "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
          ),
        )
    }
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0)
        out.push(
          field.required(
            `${path}.values`,
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
          ),
        )
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0)
        out.push(
          field.invalid(
            `${path}.values`,
            values,
            "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
          ),
        )
    } else out.push(field.invalid(`${path}.operator`, operator, "not a valid selector operator"))
  })
  return out
}

export function validateResourceQuotaUpdate(
  quota: Readonly<ResourceQuota>,
  old: Readonly<ResourceQuota>,
): FieldError[] {
  const distinct = (list: readonly string[] | undefined): string[] => [...new Set(list)].sort()
  if (semanticEqual(distinct(quota.spec.scopes), distinct(old.spec.scopes))) return []
  return [field.invalid("spec.scopes", quota.spec.scopes, immutableMessage)]
}

const limitTypes = new Set(["Pod", "Container", "PersistentVolumeClaim"])

export function validateLimitRange({ spec }: Readonly<LimitRange>): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  for (const [i, item] of (spec?.limits ?? []).entries()) {
    const at = `spec.limits[${i}]`
    const unqualified = reasons(`${at}.type`, item.type, isQualifiedName(item.type))
    out.push(...unqualified)
    if (unqualified.length === 0 && !item.type.includes("/") && !limitTypes.has(item.type))
      out.push(field.invalid(`${at}.type`, item.type, "must be a standard limit type or fully qualified"))
    if (seen.has(item.type)) out.push(field.duplicate(`${at}.type`, item.type))
    seen.add(item.type)
    out.push(...validateItem(at, item))
  }
  return out
}

function validateItem(path: string, item: LimitRangeItem): FieldError[] {
  const out: FieldError[] = []
  const lists = {
    max: item.max ?? {},
    min: item.min ?? {},
    default: item.default ?? {},
    defaultRequest: item.defaultRequest ?? {},
    maxLimitRequestRatio: item.maxLimitRequestRatio ?? {},
  }
  const names = new Set<string>()
  for (const [list, amounts] of Object.entries(lists)) {
    for (const name of Object.keys(amounts)) {
      names.add(name)
      const at = `${path}.${list}[${name}]`
      out.push(
        ...(item.type === "Pod" || item.type === "Container"
          ? validateContainerResourceName(at, name)
          : validateResourceName(at, name)),
      )
    }
  }
  if (item.type === "Pod") {
    for (const list of ["default", "defaultRequest"] as const)
      if (Object.keys(lists[list]).length > 0)
        out.push(field.forbidden(`${path}.${list}`, "may not be specified when `type` is 'Pod'"))
  }
  if (
    item.type === "PersistentVolumeClaim" &&
    lists.max["storage"] === undefined &&
    lists.min["storage"] === undefined
  )
    out.push(
      field.required(
        `${path}.limits`,
        "either minimum or maximum storage value is required, but neither was provided",
      ),
    )
  for (const name of [...names].sort()) {
    const amount = (list: keyof typeof lists): ReturnType<typeof parseQuantity> | undefined =>
      lists[list][name] === undefined ? undefined : parseQuantity(lists[list][name])
    const max = amount("max")
    const min = amount("min")
    const limit = amount("default")
    const request = amount("defaultRequest")
    const ratio = amount("maxLimitRequestRatio")
    const above = (a: typeof max, b: typeof max): boolean => !!a && !!b && compareQuantities(a, b) > 0
    const wrong = (list: string, value: unknown, detail: string): number =>
      out.push(field.invalid(`${path}.${list}[${name}]`, value, detail))
    if (above(min, max)) wrong("min", min!, `min value ${min} is greater than max value ${max}`)
    if (above(min, request))
      wrong("defaultRequest", request!, `min value ${min} is greater than default request value ${request}`)
    if (above(request, max))
      wrong("defaultRequest", request!, `default request value ${request} is greater than max value ${max}`)
    if (above(request, limit))
      wrong(
        "defaultRequest",
        request!,
        `default request value ${request} is greater than default limit value ${limit}`,
      )
    if (above(min, limit)) wrong("default", min!, `min value ${min} is greater than default value ${limit}`)
    if (above(limit, max)) wrong("default", max!, `default value ${limit} is greater than max value ${max}`)
    if (ratio && ratio.asNumber() < 1) wrong("maxLimitRequestRatio", ratio, `ratio ${ratio} is less than 1`)
  }
  return out
}
