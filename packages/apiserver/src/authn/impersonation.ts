/**
 * Acting as somebody else, for who may: the `Impersonate-*` headers.
 * Mirrors: apiserver pkg/endpoints/filters/impersonation.go
 */
import { badRequest, forbidden } from "@knarr/apimachinery"
import { inTurn, whenReady } from "@knarr/base"
import { resourceAttributes } from "../authz/attributes.ts"
import { forbiddenReason } from "../authz/forbidden.ts"
import type { AuthorizationAttributes, Authorizer, Cancellable, UserInfo } from "../contract.ts"
import {
  allAuthenticated,
  allUnauthenticated,
  anonymousUser,
  parseServiceAccountUserName,
  serviceAccountGroups,
} from "./users.ts"

const extraPrefix = "impersonate-extra-"
const authenticationGroup = "authentication.k8s.io"

type Headers = Readonly<Record<string, string | string[] | undefined>>

/**
 * The headers with each of a repeated `Impersonate-…` for itself; Node joins them with ", ". `raw` alternates names
 * and values.
 */
export function distinctImpersonation<H extends Headers>(headers: H, raw: readonly string[]): H {
  if (headers["impersonate-user"] === undefined) return headers
  const distinct = new Map<string, string[]>()
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    if (!name.startsWith("impersonate-")) continue
    const values = distinct.get(name)
    if (values) values.push(raw[i + 1]!)
    else distinct.set(name, [raw[i + 1]!])
  }
  return Object.assign(Object.create(null), headers, Object.fromEntries(distinct)) as H
}

/** The user that the request acts as: `user` itself without such headers. Throws 400 and 403 StatusErrors. */
export function impersonate(
  user: UserInfo,
  headers: Headers,
  authorizer: Authorizer,
  request: Cancellable,
): UserInfo | Promise<UserInfo> {
  if (!asksForImpersonation(headers)) return user
  const name = one(headers["impersonate-user"])
  const groups = all(headers["impersonate-group"])
  const uid = one(headers["impersonate-uid"])
  const extras: [key: string, values: string[]][] = Object.keys(headers)
    .filter((header) => header.startsWith(extraPrefix))
    .map((header) => [unescape(header.slice(extraPrefix.length)).toLowerCase(), all(headers[header])])
  // The client chooses the names: they become properties and never reach a prototype.
  const extra = extras.length > 0 ? Object.fromEntries(extras) : undefined
  if (name === "" && groups.length === 0 && uid === "" && !extra) return user
  if (name === "") {
    const asked = goUser(uid, groups, extra)
    throw badRequest(`requested ${asked} without impersonating a user name`)
  }

  const asked: AuthorizationAttributes[] = []
  const ask = (what: Partial<AuthorizationAttributes> & { readonly resource: string }): void =>
    void asked.push(resourceAttributes({ verb: "impersonate", ...what }))
  const account = parseServiceAccountUserName(name)
  if (account) ask({ resource: "serviceaccounts", name: account.name, namespace: account.namespace })
  else ask({ resource: "users", name })
  for (const group of groups) ask({ resource: "groups", name: group })
  for (const [key, values] of extras)
    for (const value of values)
      ask({ apiGroup: authenticationGroup, resource: "userextras", name: value, subresource: key })
  if (uid !== "") ask({ apiGroup: authenticationGroup, resource: "uids", name: uid })
  const allowed = inTurn(asked, (attributes) =>
    whenReady(authorizer.authorize(user, attributes, request), ({ verdict, reason }) => {
      if (verdict === "allow") return
      const because = forbiddenReason(user, attributes, reason)
      throw forbidden({ group: attributes.apiGroup, resource: attributes.resource }, attributes.name, because)
    }),
  )

  let effective = groups
  if (account && groups.length === 0) effective = serviceAccountGroups(account.namespace)
  const marked = effective.includes(allAuthenticated) || effective.includes(allUnauthenticated)
  if (name === anonymousUser.name) {
    if (!effective.includes(allUnauthenticated)) effective = [...effective, allUnauthenticated]
  } else if (!marked) effective = [...effective, allAuthenticated]
  const effectiveUser = {
    name,
    groups: effective,
    ...(uid === "" ? {} : { uid }),
    ...(extra ? { extra } : {}),
  }
  return whenReady(allowed, () => effectiveUser)
}

function asksForImpersonation(headers: Headers): boolean {
  for (const name in headers) if (name.startsWith("impersonate-")) return true
  return false
}

function one(value: string | string[] | undefined): string {
  return value === undefined ? "" : typeof value === "string" ? value : (value[0] ?? "")
}

/** Each header is one value, whatever commas it holds. */
function all(value: string | string[] | undefined): string[] {
  return [value ?? []].flat().filter((item) => item !== "")
}

function unescape(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}

function goUser(uid: string, groups: readonly string[], extra: Record<string, string[]> | undefined): string {
  const quote = (text: string): string => JSON.stringify(text)
  const list = (values: readonly string[]): string =>
    values.length === 0 ? "[]string(nil)" : `[]string{${values.map(quote).join(", ")}}`
  const map = extra
    ? `map[string][]string{${Object.keys(extra)
        .sort()
        .map((key) => `${quote(key)}:${list(extra[key]!)}`)
        .join(", ")}}`
    : "map[string][]string(nil)"
  return `&user.DefaultInfo{Name:"", UID:${quote(uid)}, Groups:${list(groups)}, Extra:${map}}`
}
