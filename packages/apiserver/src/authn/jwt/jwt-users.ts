/**
 * Users from tokens of one issuer: verified by its published keys, mapped by claims or expressions.
 * Mirrors: apiserver plugin/pkg/authenticator/token/oidc/oidc.go
 */
import { type Clock, messageOf, parseJson } from "@knarr/base"
import { CelList, type Evaluation, type Value } from "@knarr/cel"
import type { Cancellable, Refused, TokenAuthenticator, TokenOwner, UserInfo } from "../../contract.ts"
import { issuerOf } from "../token-signer.ts"
import type { JwtRules, PrefixedClaim } from "./config.ts"
import type { IssuerKeys } from "./issuer-keys.ts"

type Claims = Readonly<Record<string, unknown>>

/** How far apart clocks may be for what is not yet valid. */
const leewayMs = 5 * 60_000
const never = new AbortController().signal

export interface JwtUsersOptions {
  readonly rules: JwtRules
  readonly keys: IssuerKeys
  readonly clock: Clock
  readonly algorithms: readonly string[]
}

export class JwtUsers implements TokenAuthenticator {
  readonly #options: JwtUsersOptions

  constructor(options: JwtUsersOptions) {
    this.#options = options
  }

  authenticate(
    token: string,
    _audiences: readonly string[],
    request: Cancellable,
  ): Promise<TokenOwner | Refused> | Refused | undefined {
    const { rules, keys } = this.#options
    if (token.split(".").length !== 3 || issuerOf(token) !== rules.config.issuer.url) return undefined
    if (!keys.isReady) return { error: "oidc: authenticator not initialized" }
    return this.#authenticate(token, request.signal ?? never)
  }

  async #authenticate(token: string, signal: AbortSignal): Promise<TokenOwner | Refused> {
    let claims: Claims
    try {
      claims = await this.#verify(token, signal)
    } catch (thrown) {
      return { error: `oidc: verify token: ${messageOf(thrown)}` }
    }
    try {
      return { user: this.#userOf(claims) }
    } catch (thrown) {
      return { error: `oidc: ${messageOf(thrown)}` }
    }
  }

  async #verify(token: string, signal: AbortSignal): Promise<Claims> {
    const { rules, keys, clock, algorithms } = this.#options
    const [head = "", payload = "", signature = ""] = token.split(".")
    const claims = parsePart(payload)
    const header = parsePart(head)
    if (!claims || !header) throw new Error("oidc: malformed jwt: oidc: malformed jwt payload")
    const { audiences } = rules.config.issuer
    const given = [claims["aud"] ?? []].flat().filter((one) => typeof one === "string")
    if (!given.some((one) => audiences.includes(one)))
      throw new Error(`oidc: expected audience in ${goList(audiences)} got ${goList(given)}`)
    const now = clock.now()
    const expiry = timeOf(claims["exp"])
    if (!(now <= expiry))
      throw new Error(
        `oidc: token is expired (Token Expiry: ${Number.isNaN(expiry) ? "none" : new Date(expiry).toISOString()})`,
      )
    const notBefore = timeOf(claims["nbf"])
    if (now + leewayMs < notBefore)
      throw new Error(
        `oidc: current time ${new Date(now).toISOString()} before the nbf (not before) time: ${new Date(notBefore).toISOString()}`,
      )
    const algorithm = String(header["alg"] ?? "")
    if (!algorithms.includes(algorithm))
      throw new Error(
        `oidc: id token signed with unsupported algorithm, expected ${goList(algorithms)} got ${JSON.stringify(algorithm)}`,
      )
    const bytes = Buffer.from(signature, "base64url")
    const keyId = typeof header["kid"] === "string" ? header["kid"] : ""
    if (!(await keys.verify(algorithm, keyId, `${head}.${payload}`, bytes, signal)))
      throw new Error("failed to verify signature: failed to verify id token signature")
    return claims
  }

  #userOf(claims: Claims): UserInfo {
    const { rules } = this.#options
    const { claimMappings, claimValidationRules = [] } = rules.config
    const name = rules.username
      ? requiredText(rules.username.evaluate(claims), "username")
      : usernameOf(claims, claimMappings.username)
    if (name === "" && rules.username) throw new Error("empty username via CEL expression is not allowed")
    const groups = rules.groups
      ? textsOf(rules.groups.evaluate(claims), "error evaluating group claim expression: ")
      : groupsOf(claims, claimMappings.groups ?? {})
    const uid = rules.uid
      ? requiredText(rules.uid.evaluate(claims), "uid")
      : claimMappings.uid?.claim
        ? textClaim(
            claims,
            claimMappings.uid.claim,
            `parse uid claim ${JSON.stringify(claimMappings.uid.claim)}: `,
          )
        : ""
    const extra: Record<string, readonly string[]> = {}
    if (typeof claims["jti"] === "string" && claims["jti"] !== "")
      extra["authentication.kubernetes.io/credential-id"] = [`JTI=${claims["jti"]}`]
    for (const one of rules.extra) {
      const values = textsOf(one.evaluate(claims), `error evaluating extra claim expression: ${one.text}: `)
      if (values.length > 0) extra[one.key] = values
    }
    for (const { claim = "", requiredValue = "" } of claimValidationRules) {
      if (claim === "") continue
      if (!Object.hasOwn(claims, claim)) throw new Error(`required claim ${claim} not present in ID token`)
      const value = textClaim(claims, claim, `parse claim ${claim}: `)
      if (value !== requiredValue)
        throw new Error(
          `required claim ${claim} value does not match. Got = ${value}, want = ${requiredValue}`,
        )
    }
    const what = "error evaluating claim validation expression: "
    for (const rule of rules.claimRules) requireTrue(rule, rule.evaluate(claims), what)
    const asked = { username: name, uid, groups, extra }
    for (const rule of rules.userRules)
      requireTrue(rule, rule.evaluate(asked), "error evaluating user info validation rule: ")
    return {
      name,
      groups,
      ...(uid === "" ? {} : { uid }),
      ...(Object.keys(extra).length > 0 ? { extra } : {}),
    }
  }
}

function parsePart(part: string): Claims | undefined {
  try {
    const value: unknown = parseJson(Buffer.from(part, "base64url").toString("utf8"))
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Claims)
      : undefined
  } catch {
    return undefined
  }
}

/** Seconds as ms; NaN for what is none. */
function timeOf(value: unknown): number {
  return typeof value === "number" ? value * 1000 : NaN
}

function goList(values: readonly string[]): string {
  return `[${values.map((one) => JSON.stringify(one)).join(" ")}]`
}

function textClaim(claims: Claims, name: string, what: string): string {
  if (!Object.hasOwn(claims, name)) throw new Error(`${what}claim not present`)
  const value = claims[name]
  if (typeof value !== "string")
    throw new Error(`${what}json: cannot unmarshal ${jsonKind(value)} into Go value of type string`)
  return value
}

function jsonKind(value: unknown): string {
  if (typeof value === "boolean") return "bool"
  return Array.isArray(value) ? "array" : typeof value
}

function usernameOf(claims: Claims, { claim = "", prefix = "" }: PrefixedClaim): string {
  const name = textClaim(claims, claim, `parse username claims ${JSON.stringify(claim)}: `)
  if (claim === "email" && Object.hasOwn(claims, "email_verified")) {
    const verified = claims["email_verified"]
    if (typeof verified !== "boolean")
      throw new Error(
        `parse 'email_verified' claim: json: cannot unmarshal ${jsonKind(verified)} into Go value of type bool`,
      )
    if (!verified) throw new Error("email not verified")
  }
  return prefix + name
}

function groupsOf(claims: Claims, { claim = "", prefix = "" }: PrefixedClaim): string[] {
  if (claim === "" || !Object.hasOwn(claims, claim)) return []
  const values = [claims[claim]].flat()
  if (!values.every((one) => typeof one === "string"))
    throw new Error(
      `parse groups claim ${JSON.stringify(claim)}: json: cannot unmarshal ${jsonKind(claims[claim])} into Go value of type string`,
    )
  return values.map((one) => prefix + one)
}

function valueOf(evaluation: Evaluation, what: string): Value {
  if (evaluation.error !== undefined) throw new Error(what + evaluation.error)
  return evaluation.value
}

function requiredText(evaluation: Evaluation, name: string): string {
  const what = `error evaluating ${name} claim expression: `
  const value = valueOf(evaluation, what)
  if (typeof value !== "string") throw new Error(`${what}${name} claim expression must return a string`)
  return value
}

/** A text or a list of texts; what is empty counts as not there. */
function textsOf(evaluation: Evaluation, what: string): string[] {
  const value = valueOf(evaluation, what)
  if (value === null) return []
  if (typeof value === "string") return value === "" ? [] : [value]
  const bad = `${what}expression must return a string or a list of strings`
  if (!(value instanceof CelList)) throw new Error(bad)
  return Array.from({ length: value.size }, (_, i) => value.get(i)).flatMap((one) => {
    if (typeof one !== "string") throw new Error(bad)
    return one === "" ? [] : [one]
  })
}

function requireTrue(
  { text, message }: { readonly text: string; readonly message: string },
  evaluation: Evaluation,
  what: string,
): void {
  const value = valueOf(evaluation, what)
  if (typeof value !== "boolean") throw new Error(`${what}validation expression must return a boolean`)
  if (!value) throw new Error(`${what}validation expression '${text}' failed: ${message}`)
}
