/** What somebody who may not is told. Mirrors: apiserver pkg/endpoints/handlers/responsewriters/errors.go */
import { forbidden, type StatusError } from "@knarr/apimachinery"
import type { AuthorizationAttributes, UserInfo } from "../contract.ts"

/** `User "u" cannot get resource "pods" in API group "" in the namespace "n"`, and why when that is known. */
function forbiddenReason(user: UserInfo, attributes: AuthorizationAttributes, reason: string): string {
  const text = forbiddenText(user, attributes)
  return reason === "" ? text : `${text}: ${reason}`
}

function forbiddenText(user: UserInfo, attributes: AuthorizationAttributes): string {
  const who = `User ${JSON.stringify(user.name)}`
  if (!attributes.isResourceRequest)
    return `${who} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}`
  const { verb, resource, subresource, apiGroup, namespace } = attributes
  const full = subresource === "" ? resource : `${resource}/${subresource}`
  const what = `${who} cannot ${verb} resource ${JSON.stringify(full)} in API group ${JSON.stringify(apiGroup)}`
  return namespace === ""
    ? `${what} at the cluster scope`
    : `${what} in the namespace ${JSON.stringify(namespace)}`
}

/** The 403 for a request. */
export function forbiddenError(
  user: UserInfo,
  attributes: AuthorizationAttributes,
  reason: string,
): StatusError {
  const because = forbiddenReason(user, attributes, reason)
  return forbidden({ group: attributes.apiGroup, resource: attributes.resource }, attributes.name, because)
}
