/**
 * Acting as somebody else, for who may: the `Impersonate-*` headers.
 * Mirrors: apiserver pkg/endpoints/filters/impersonation/constrained_impersonation.go
 */
import { badRequest } from "@knarr/apimachinery"
import { asError, whenReady } from "@knarr/base"
import type { AuthorizationAttributes, Authorizer, Cancellable, Impersonated, UserInfo } from "../contract.ts"
import { modes, type ImpersonationMode, type ModeQuestion, type WantedUser } from "./impersonation-modes.ts"
import { Lru } from "./lru.ts"

const extraPrefix = "impersonate-extra-"

type Headers = Readonly<Record<string, string | string[] | undefined>>

/**
 * The headers with each of a repeated `Impersonate-…` for itself; Node joins them with ", ". `raw` alternates names
 * and values.
 */
export function distinctImpersonation<H extends Headers>(headers: H, raw: readonly string[]): H {
  if (!asksForImpersonation(headers)) return headers
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

/** For so many users it is remembered how they were allowed to act as others, as upstream. */
const remembered = 10_000

/**
 * Tries one mode after the other, the one that last served the same user first: whoever keeps to one has the price of
 * that one alone.
 */
export class Impersonation {
  readonly #authorizer: Authorizer
  readonly #last = new Lru<string, number>(remembered)

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer
  }

  /**
   * Who the request of `caller` acts as; undefined without such headers. Throws 400 and 403 StatusErrors: what the first
   * mode says that could have served.
   */
  ask(
    caller: UserInfo,
    headers: Headers,
    attributes: AuthorizationAttributes,
    request: Cancellable,
  ): Impersonated | undefined | Promise<Impersonated | undefined> {
    if (!asksForImpersonation(headers)) return undefined
    const wanted = wantedOf(headers)
    if (!wanted) return undefined
    const question = { caller, wanted, attributes, request, authorizer: this.#authorizer }
    const last = this.#last.get(caller.name)
    const others = modes.keys().filter((at) => at !== last)
    return this.#try(last === undefined ? [...others] : [last, ...others], question, undefined)
  }

  #try(
    order: readonly number[],
    question: ModeQuestion,
    first: { readonly refused: unknown } | undefined,
  ): Impersonated | Promise<Impersonated> {
    const [at, ...others] = order
    if (at === undefined) throw asError(first?.refused)
    return whenReady(answerOf(modes[at]!, question), (answer) => {
      if (!answer || "refused" in answer) return this.#try(others, question, first ?? answer)
      this.#last.set(question.caller.name, at, 1)
      return answer
    })
  }
}

type Answer = Impersonated | { readonly refused: unknown } | undefined

function answerOf(mode: ImpersonationMode, question: ModeQuestion): Answer | Promise<Answer> {
  const refused = (thrown: unknown): Answer => ({ refused: thrown })
  try {
    const answer = mode(question)
    return answer instanceof Promise ? answer.catch(refused) : answer
  } catch (thrown) {
    return refused(thrown)
  }
}

/** Undefined when nobody is asked for. Throws 400. */
function wantedOf(headers: Headers): WantedUser | undefined {
  const name = one(headers["impersonate-user"])
  const groups = all(headers["impersonate-group"])
  const uid = one(headers["impersonate-uid"])
  const extras = Object.keys(headers)
    .filter((header) => header.startsWith(extraPrefix))
    .map((header) => [unescape(header.slice(extraPrefix.length)), all(headers[header])] as const)
  // The client chooses the names: they become properties and never reach a prototype.
  const extra = extras.length > 0 ? Object.fromEntries(extras) : undefined
  if (name !== "") return { name, groups, uid, extra }
  if (groups.length === 0 && uid === "" && !extra) return undefined
  throw badRequest(`requested ${goUser(uid, groups, extra)} without impersonating a user name`)
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
  return [value ?? []].flat()
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
