/** Names that upstream gives to users and groups. Mirrors: apiserver pkg/authentication/user, serviceaccount */
import type { UserInfo } from "../contract.ts"

export const allAuthenticated = "system:authenticated"
export const allUnauthenticated = "system:unauthenticated"
export const systemMasters = "system:masters"
export const nodesGroup = "system:nodes"
export const nodeUserPrefix = "system:node:"
const serviceAccountPrefix = "system:serviceaccount:"
const allServiceAccounts = "system:serviceaccounts"

/** Who sends no credentials. */
export const anonymousUser: UserInfo = Object.freeze({
  name: "system:anonymous",
  groups: Object.freeze([allUnauthenticated]),
})

/** The server itself, through the loopback client. */
export const loopbackUser: UserInfo = Object.freeze({
  name: "system:apiserver",
  groups: Object.freeze([systemMasters, allAuthenticated]),
})

/** The user name of a service account. */
export function serviceAccountUserName(namespace: string, name: string): string {
  return `${serviceAccountPrefix}${namespace}:${name}`
}

/** The groups of a service account, without `system:authenticated`. */
export function serviceAccountGroups(namespace: string): string[] {
  return [allServiceAccounts, `${allServiceAccounts}:${namespace}`]
}

/** The account that a user name stands for. */
export function parseServiceAccountUserName(user: string): { namespace: string; name: string } | undefined {
  if (!user.startsWith(serviceAccountPrefix)) return undefined
  const parts = user.slice(serviceAccountPrefix.length).split(":")
  if (parts.length !== 2 || parts[0] === "" || parts[1] === "") return undefined
  return { namespace: parts[0]!, name: parts[1]! }
}

/** The node's name when `user` is a kubelet. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.name.startsWith(nodeUserPrefix) || !user.groups.includes(nodesGroup)) return undefined
  return user.name.slice(nodeUserPrefix.length)
}
