/** Short forms for stating access rules, and the roles that follow from them. */
import { uncoveredRules, type PolicyRuleLike } from "@knarr/api"

/** `verbs` (separated by spaces) on `resources` of the API groups `groups` ("" is the core group). */
export function allow(groups: string, resources: string, verbs: string): PolicyRuleLike {
  return { apiGroups: groups.split(","), resources: resources.split(" "), verbs: verbs.split(" ") }
}

/** What recording events takes. */
export const recordEvents: PolicyRuleLike = allow(",events.k8s.io", "events", "create patch update")

/** True when `have` already allows all that `want` does. */
export function covers(have: readonly PolicyRuleLike[], want: PolicyRuleLike): boolean {
  return uncoveredRules(have, [want]).length === 0
}
