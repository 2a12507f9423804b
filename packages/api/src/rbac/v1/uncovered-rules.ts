/** Whether a set of access rules allows all that another does. Mirrors: component-helpers auth/rbac/validation */
import { trimEndOf } from "@knarr/base"
import type { PolicyRule } from "./types.gen.ts"

/** A PolicyRule that is only read. */
export interface PolicyRuleLike {
  readonly apiGroups?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
  readonly resourceNames?: readonly string[] | undefined
  readonly nonResourceURLs?: readonly string[] | undefined
  readonly verbs: readonly string[]
}

type List = readonly string[] | undefined

const has = (list: List, value: string): boolean => list !== undefined && list.includes(value)

/** The parts of `wanted` that `owned` does not cover, each broken down to one verb on one thing. */
export function uncoveredRules(
  owned: readonly PolicyRuleLike[],
  wanted: readonly PolicyRuleLike[],
): PolicyRule[] {
  const missing: PolicyRule[] = []
  for (const rule of wanted)
    if (!isCoveredWhole(owned, rule))
      for (const part of breakdown(rule)) if (!owned.some((own) => covers(own, part))) missing.push(part)
  return missing
}

/**
 * How many parts {@link uncoveredRules} looks at one by one. A rule stands for the product of its lists: a short one may
 * stand for more than there is time for.
 */
export function comparedParts(owned: readonly PolicyRuleLike[], wanted: readonly PolicyRuleLike[]): number {
  const length = (list: List): number => list?.length ?? 0
  let count = 0
  for (const rule of wanted)
    if (!isCoveredWhole(owned, rule)) {
      const { apiGroups, resources, resourceNames, nonResourceURLs, verbs } = rule
      const things = length(apiGroups) * length(resources) * Math.max(1, length(resourceNames))
      count += (things + length(nonResourceURLs)) * verbs.length
    }
  return count
}

/** Whether one of `owned` allows all that a rule about resources does. */
function isCoveredWhole(owned: readonly PolicyRuleLike[], rule: PolicyRuleLike): boolean {
  if (rule.nonResourceURLs) return false
  const [verb] = rule.verbs
  // What does not allow the first of its verbs is not looked at closely.
  return owned.some((own) => (has(own.verbs, "*") || has(own.verbs, verb!)) && covers(own, rule))
}

function breakdown(rule: PolicyRuleLike): PolicyRule[] {
  const parts: PolicyRule[] = []
  for (const group of rule.apiGroups ?? []) {
    for (const resource of rule.resources ?? []) {
      for (const verb of rule.verbs) {
        const part = { apiGroups: [group], resources: [resource], verbs: [verb] }
        if (rule.resourceNames && rule.resourceNames.length > 0)
          for (const name of rule.resourceNames) parts.push({ ...part, resourceNames: [name] })
        else parts.push(part)
      }
    }
  }
  for (const url of rule.nonResourceURLs ?? [])
    for (const verb of rule.verbs) parts.push({ nonResourceURLs: [url], verbs: [verb] })
  return parts
}

function covers(owner: PolicyRuleLike, sub: PolicyRuleLike): boolean {
  const all = (own: List, asked: List): boolean => !asked || asked.every((value) => has(own, value))
  if (!has(owner.verbs, "*") && !all(owner.verbs, sub.verbs)) return false
  if (sub.nonResourceURLs) {
    return sub.nonResourceURLs.every((url) =>
      (owner.nonResourceURLs ?? []).some(
        (own) => own === "*" || own === url || (own.endsWith("*") && url.startsWith(trimEndOf(own, "*"))),
      ),
    )
  }
  if (!has(owner.apiGroups, "*") && !all(owner.apiGroups, sub.apiGroups)) return false
  const resources = (sub.resources ?? []).every((resource) => {
    if (has(owner.resources, "*") || has(owner.resources, resource)) return true
    const slash = resource.indexOf("/")
    return slash >= 0 && has(owner.resources, `*${resource.slice(slash)}`)
  })
  if (!resources) return false
  const names = owner.resourceNames ?? []
  return names.length === 0 || ((sub.resourceNames ?? []).length > 0 && all(names, sub.resourceNames))
}
