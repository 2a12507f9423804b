/** Whom and what the rules of a FlowSchema are about. Mirrors: apiserver pkg/util/flowcontrol/rule.go */
import type { flowcontrolV1 } from "@knarr/api"
import { parseServiceAccountUserName } from "../authn/users.ts"
import type { RequestInfo, UserInfo } from "../contract.ts"

type Rule = flowcontrolV1.PolicyRulesWithSubjects

/** Whether a rule is about a user at all. */
export function isAboutUser({ subjects }: Rule, user: UserInfo): boolean {
  return (subjects ?? []).some((subject) => {
    switch (subject.kind) {
      case "User":
        return subject.user?.name === "*" || subject.user?.name === user.name
      case "Group": {
        const name = subject.group?.name
        return name === "*" || (name !== undefined && user.groups.includes(name))
      }
      case "ServiceAccount": {
        const account = parseServiceAccountUserName(user.name)
        const { namespace, name } = subject.serviceAccount ?? {}
        return (
          account !== undefined && account.namespace === namespace && (name === "*" || account.name === name)
        )
      }
      default:
        return false
    }
  })
}

/** Whether a rule that is about the user is about what is asked for. */
export function isAboutRequest(rule: Rule, info: RequestInfo): boolean {
  if (!info.isResourceRequest)
    return (rule.nonResourceRules ?? []).some(
      ({ verbs, nonResourceURLs }) =>
        has(verbs, info.verb) && nonResourceURLs.some((url) => isUnder(url, info.path)),
    )
  const { apiGroup, resource, subresource, namespace, verb } = info
  return (rule.resourceRules ?? []).some(
    (one) =>
      has(one.verbs, verb) &&
      has(one.resources, subresource === "" ? resource : `${resource}/${subresource}`) &&
      has(one.apiGroups, apiGroup) &&
      (namespace === "" ? one.clusterScope === true : has(one.namespaces ?? [], namespace)),
  )
}

/** "*" stands for everything where it is alone. */
function has(list: readonly string[], text: string): boolean {
  return (list.length === 1 && list[0] === "*") || list.includes(text)
}

function isUnder(url: string, path: string): boolean {
  if (url === "*" || url === path) return true
  const prefix = url.endsWith("*") ? url.slice(0, -1) : url
  return path.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`)
}
