/** The authorizers, in upstream's order: privileged groups, paths that are open to all, Node, RBAC. */
import type { AuthorizationAttributes, Authorizer, Decision, UserInfo } from "../contract.ts"
import { systemMasters } from "../authn/users.ts"

/** What is asked under one name of the mode list: `node`, `rbac`. */
export interface NamedAuthorizer {
  readonly name: string
  readonly authorizer: Authorizer
}

const open: readonly string[] = ["/healthz", "/livez", "/readyz"]
const allowed: Decision = Object.freeze({ allowed: true, reason: "" })

/** Asks one after the other; the first that allows or denies decides. Reasons of those without an opinion are joined. */
export function createAuthorizer(authorizers: readonly NamedAuthorizer[]): Authorizer {
  return {
    authorize(user: UserInfo, attributes: AuthorizationAttributes): Decision {
      if (user.groups.includes(systemMasters)) return allowed
      let reasons = ""
      for (const { name, authorizer } of authorizers) {
        const decision = authorizer.authorize(user, attributes)
        if (decision.allowed || decision.denied) return decision
        if (decision.reason !== "") reasons += `${reasons === "" ? "" : "\n"}${name}: ${decision.reason}`
      }
      if (!attributes.isResourceRequest && open.includes(attributes.path)) return allowed
      return { allowed: false, reason: reasons }
    },
  }
}
