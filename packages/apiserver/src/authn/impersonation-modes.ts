/**
 * The ways in which somebody may be allowed to act as another: constrained ones, which ask for the right to act as such a
 * user (`impersonate:MODE`) and for the right to do this very thing as one (`impersonate-on:MODE:VERB`), and the old one,
 * which asks for `impersonate` alone.
 * Mirrors: apiserver pkg/endpoints/filters/impersonation/mode.go
 */
import {
  aggregateMessage,
  goQuote,
  isDNS1123Subdomain,
  isDomainPrefixedPath,
  isForbidden,
} from "@knarr/apimachinery"
import { inTurn, whenReady } from "@knarr/base"
import { resourceAttributes, withVerb } from "../authz/attributes.ts"
import { forbiddenError } from "../authz/forbidden.ts"
import type { AuthorizationAttributes, Authorizer, Cancellable, Impersonated, UserInfo } from "../contract.ts"
import {
  allAuthenticated,
  allUnauthenticated,
  anonymousUser,
  nodesGroup,
  nodeUserPrefix,
  parseServiceAccountUserName,
  serviceAccountGroups,
  systemMasters,
} from "./users.ts"

/** As the headers have it; what is not asked for is "" or empty. */
export interface WantedUser {
  readonly name: string
  readonly uid: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>> | undefined
}

export interface ModeQuestion {
  readonly caller: UserInfo
  readonly wanted: WantedUser
  /** Of the request itself. */
  readonly attributes: AuthorizationAttributes
  readonly request: Cancellable
  readonly authorizer: Authorizer
}

/** Undefined: the mode is not for such a user. Throws, or rejects with, a 403 StatusError. */
export type ImpersonationMode = (
  question: ModeQuestion,
) => Impersonated | undefined | Promise<Impersonated | undefined>

type Asked = Partial<AuthorizationAttributes> & { readonly resource: string }

const authenticationGroup = "authentication.k8s.io"
/** From so many on it is asked first whether all are allowed. */
const many = 4

export const modes: readonly ImpersonationMode[] = [
  // A node agent's account, on its own node: it is asked about as if there were one such account for all nodes.
  (question) => {
    const { caller, wanted } = question
    const node = nodeOf(wanted.name)
    if (node === undefined || !isNameAlone(wanted) || !isAccountOn(caller, node)) return undefined
    const extra = {
      "authentication.kubernetes.io/associated-node-keys": Object.keys(caller.extra ?? {}).sort(),
    }
    return constrained("associated-node", { ...question, caller: { ...caller, extra } }, "*")
  },
  (question) => {
    const { wanted } = question
    const node = nodeOf(wanted.name)
    if (node === undefined || !isNameAlone(wanted)) return undefined
    return constrained("arbitrary-node", question, node)
  },
  (question) => {
    const { wanted } = question
    if (!isNameAlone(wanted) || !parseServiceAccountUserName(wanted.name)) return undefined
    return constrained("serviceaccount", question)
  },
  (question) => {
    const { name } = question.wanted
    if (nodeOf(name) !== undefined || parseServiceAccountUserName(name)) return undefined
    return constrained("user-info", question)
  },
  (question) => whenReady(askForUser(question, "impersonate", ""), () => grant(question.wanted, "")),
]

function constrained(
  mode: string,
  question: ModeQuestion,
  nodeName?: string,
): Impersonated | Promise<Impersonated> {
  const { wanted, attributes } = question
  const verb = `impersonate:${mode}`
  const on = ask(question, withVerb(attributes, `impersonate-on:${mode}:${attributes.verb}`))
  const user = nodeName === undefined ? wanted : { ...wanted, groups: [nodesGroup] }
  return whenReady(on, () =>
    whenReady(askForUser(question, verb, authenticationGroup, nodeName), () => grant(user, verb)),
  )
}

function grant({ name, uid, groups, extra }: WantedUser, constraint: string): Impersonated {
  const account = parseServiceAccountUserName(name)
  const own = account && groups.length === 0 ? serviceAccountGroups(account.namespace) : groups
  const isUnauthenticated = own.includes(allUnauthenticated)
  const added =
    name === anonymousUser.name ? allUnauthenticated : isUnauthenticated ? undefined : allAuthenticated
  const effective = added === undefined || own.includes(added) ? own : [...own, added]
  return {
    user: { name, groups: effective, ...(uid === "" ? {} : { uid }), ...(extra ? { extra } : {}) },
    constraint,
  }
}

/** One question for each value that is asked for. `group` is the API group of users, groups and accounts. */
function askForUser(
  question: ModeQuestion,
  verb: string,
  group: string,
  nodeName?: string,
): void | Promise<void> {
  const { name, uid, groups, extra } = question.wanted
  const isConstrained = group !== ""
  const about = (asked: Asked): AuthorizationAttributes =>
    resourceAttributes({ verb, apiVersion: "v1", ...asked })
  const values = { apiGroup: authenticationGroup }
  const account = parseServiceAccountUserName(name)
  const steps: (() => void | Promise<void>)[] = []
  const step = (asked: Asked): number => steps.push(() => ask(question, about(asked)))

  if (nodeName !== undefined) step({ apiGroup: group, resource: "nodes", name: nodeName })
  else if (account) step({ apiGroup: group, resource: "serviceaccounts", ...account })
  else step({ apiGroup: group, resource: "users", name })
  if (uid !== "") step({ ...values, resource: "uids", name: uid })

  const inGroups = groups.map((one) => about({ apiGroup: group, resource: "groups", name: one }))
  const perValue = Object.entries(extra ?? {}).flatMap(([key, list]) =>
    list.map((one) => about({ ...values, resource: "userextras", subresource: key, name: one })),
  )
  if (!isConstrained) {
    for (const one of [...inGroups, ...perValue]) steps.push(() => ask(question, one))
    return inTurn(steps, (run) => run())
  }
  const refuse = (asked: Asked, why: string): number =>
    steps.push(() => {
      throw forbiddenError(question.caller, about(asked), why)
    })
  const noGroup = { apiGroup: group, resource: "groups" }
  if (groups.includes("")) refuse(noGroup, "impersonating the empty string group is not allowed")
  if (groups.includes(systemMasters))
    refuse({ ...noGroup, name: systemMasters }, "impersonating the system:masters group is not allowed")
  steps.push(() => askMany(question, inGroups, groups.length, about({ ...noGroup, name: "*" })))
  const wrong = extra && wrongExtra(extra)
  const noExtra = { ...values, resource: "userextras" }
  if (wrong !== undefined) refuse(noExtra, `impersonating ${wrong}`)
  const count = Math.max(Object.keys(extra ?? {}).length, perValue.length)
  const everyExtra = about({ ...noExtra, subresource: "*", name: "*" })
  steps.push(() => askMany(question, perValue, count, everyExtra))
  return inTurn(steps, (run) => run())
}

function askMany(
  question: ModeQuestion,
  each: readonly AuthorizationAttributes[],
  count: number,
  every: AuthorizationAttributes,
): void | Promise<void> {
  const oneByOne = (): void | Promise<void> => inTurn(each, (one) => ask(question, one))
  if (count < many) return oneByOne()
  const { authorizer, caller, request } = question
  return whenReady(authorizer.authorize(caller, every, request), ({ verdict }) =>
    verdict === "allow" ? undefined : oneByOne(),
  )
}

/** Throws when the answer is no. */
function ask(question: ModeQuestion, attributes: AuthorizationAttributes): void | Promise<void> {
  const { authorizer, caller, request } = question
  return whenReady(authorizer.authorize(caller, attributes, request), ({ verdict, reason, error }) => {
    if (verdict === "allow") return
    if (isForbidden(error)) throw error
    const why = error === undefined ? reason : reason === "" ? error.message : `${error.message}: ${reason}`
    throw forbiddenError(caller, attributes, why)
  })
}

/** What is wrong with the extra values, if anything is. */
function wrongExtra(extra: Readonly<Record<string, readonly string[]>>): string | undefined {
  for (const [key, values] of Object.entries(extra)) {
    if (key === "") return "the empty string key in extra is not allowed"
    const errors = isDomainPrefixedPath("extra.key", key)
    if (errors.length > 0) return `an invalid key in extra is not allowed: ${aggregateMessage(errors)}`
    if (key !== key.toLowerCase()) return `a non-lowercase key in extra is not allowed: ${goQuote(key)}`
    if (values.includes("")) return "the empty string value in extra is not allowed"
  }
  return undefined
}

function isNameAlone({ uid, groups, extra }: WantedUser): boolean {
  return uid === "" && groups.length === 0 && extra === undefined
}

/** The node that a user name stands for. */
function nodeOf(userName: string): string | undefined {
  if (!userName.startsWith(nodeUserPrefix)) return undefined
  const name = userName.slice(nodeUserPrefix.length)
  return isDNS1123Subdomain(name).length === 0 ? name : undefined
}

function isAccountOn({ name, extra }: UserInfo, node: string): boolean {
  const nodes = extra?.["authentication.kubernetes.io/node-name"]
  return nodes?.length === 1 && nodes[0] === node && parseServiceAccountUserName(name) !== undefined
}
