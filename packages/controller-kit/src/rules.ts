/** Short forms for stating access rules, and the roles that follow from them. */
import type { PolicyRuleLike } from "./rbac.ts"

/** `verbs` (separated by spaces) on `resources` of the API groups `groups` ("" is the core group). */
export function allow(groups: string, resources: string, verbs: string): PolicyRuleLike {
  return { apiGroups: groups.split(","), resources: resources.split(" "), verbs: verbs.split(" ") }
}

/** What recording events takes. */
export const recordEvents: PolicyRuleLike = allow(",events.k8s.io", "events", "create patch update")

/** True when `have` already allows all that `want` does. */
export function covers(have: readonly PolicyRuleLike[], want: PolicyRuleLike): boolean {
  const within = (list: readonly string[] | undefined, value: string): boolean =>
    list !== undefined && (list.includes(value) || list.includes("*"))
  for (const verb of want.verbs) {
    for (const url of want.nonResourceURLs ?? []) {
      if (!have.some((rule) => within(rule.verbs, verb) && within(rule.nonResourceURLs, url))) return false
    }
    for (const group of want.apiGroups ?? []) {
      for (const resource of want.resources ?? []) {
        const names = want.resourceNames?.length ? want.resourceNames : [undefined]
        for (const name of names) {
          const found = have.some(
            (rule) =>
              within(rule.verbs, verb) &&
              within(rule.apiGroups, group) &&
              coversResource(rule.resources ?? [], resource) &&
              (!rule.resourceNames?.length || (name !== undefined && rule.resourceNames.includes(name))),
          )
          if (!found) return false
        }
      }
    }
  }
  return true
}

function coversResource(have: readonly string[], want: string): boolean {
  const slash = want.indexOf("/")
  return have.some((one) => one === "*" || one === want || (slash >= 0 && one === `*${want.slice(slash)}`))
}
