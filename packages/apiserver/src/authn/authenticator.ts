/**
 * Who sends a request: a client certificate, else a bearer token, else anonymous. Wrong credentials are never
 * taken for none. Mirrors: pkg/kubeapiserver/authenticator, apiserver pkg/authentication/request
 */
import { isUtf8 } from "node:buffer"
import { unauthorized } from "@knarr/apimachinery"
import { whenReady, type Logger } from "@knarr/base"
import type {
  Cancellable,
  Credentials,
  Refused,
  RequestAuthenticator,
  TokenAuthenticator,
  TokenOwner,
  UserInfo,
} from "../contract.ts"
import { firstKnown } from "./first-known.ts"
import { allAuthenticated, allUnauthenticated, anonymousUser } from "./users.ts"

/** Ways to know users beside the server's own. */
export interface FurtherAuthenticators {
  /** Asked before certificates and tokens, as a front proxy's headers are. */
  readonly requests?: readonly RequestAuthenticator[] | undefined
  /** Asked about tokens that the server's own do not know: OIDC, webhooks. */
  readonly tokens?: readonly TokenAuthenticator[] | undefined
}

export interface AuthenticatorOptions {
  /** Who may not is told no more than that: why stands in the log, at debug level. */
  readonly log: Logger
  readonly certificates: RequestAuthenticator
  readonly serviceAccountTokens: TokenAuthenticator
  /** What a token must be meant for. */
  readonly audiences: readonly string[]
  /** Whether who brings nothing is nobody, or for which paths. Default true, as upstream. */
  readonly anonymous?: boolean | readonly string[] | undefined
  /** Tokens with a fixed user (`--token-auth-file`, bootstrap). */
  readonly staticTokens?: ReadonlyMap<string, UserInfo> | undefined
  readonly further?: FurtherAuthenticators | undefined
}

export interface Authenticator {
  /** The user of a request. Throws the 401 StatusError. */
  authenticate(request: Credentials): UserInfo | Promise<UserInfo>
  /** The user of a token, as TokenReview asks. */
  authenticateToken(
    token: string,
    audiences: readonly string[],
    request: Cancellable,
  ): TokenOwner | Refused | Promise<TokenOwner | Refused>
  /** The server's own audiences. */
  readonly audiences: readonly string[]
}

/** The longest token that is looked at, in characters: those that the server issues have about a thousand. */
const maxTokenLength = 16 * 1024

const invalidToken: Refused = Object.freeze({ error: "invalid bearer token" })

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { log, certificates, serviceAccountTokens, audiences, staticTokens, further } = options
  const fixed: TokenAuthenticator = {
    authenticate(token, wanted) {
      const user = staticTokens?.get(token)
      return user && { user, audiences: wanted }
    },
  }
  const tokens = [fixed, serviceAccountTokens, ...(further?.tokens ?? [])]
  const authenticateToken: Authenticator["authenticateToken"] = (token, wanted, request) => {
    if (token.length > maxTokenLength) return invalidToken
    const found = firstKnown(tokens, (one) => one.authenticate(token, wanted, request), request)
    return whenReady(found, (owner) => owner ?? invalidToken)
  }

  const withToken = (
    tokenOf: (request: Credentials) => string | Refused | undefined,
  ): RequestAuthenticator => ({
    authenticate(request) {
      const token = tokenOf(request)
      if (typeof token !== "string") return token
      return whenReady(authenticateToken(token, audiences, request), (owner) =>
        "error" in owner ? owner : meantFor(owner, audiences),
      )
    },
  })
  const requests: readonly RequestAuthenticator[] = [
    ...(further?.requests ?? []),
    certificates,
    withToken(bearerToken),
    withToken(webSocketToken),
  ]

  const { anonymous = true } = options
  const mayBeNobody = (path: string): boolean =>
    typeof anonymous === "boolean" ? anonymous : anonymous.includes(path)

  return {
    audiences,
    authenticateToken,
    authenticate(request) {
      const found = firstKnown(requests, (one) => one.authenticate(request), request)
      return whenReady(found, (user) => {
        if (user && "name" in user) return withGroup(user)
        if (!user && mayBeNobody(request.path)) return anonymousUser
        if (user) log.debug("A request could not be authenticated", { err: user.error })
        throw unauthorized("Unauthorized")
      })
    },
  }
}

/** The user of a token that is for this server, or for nobody in particular. */
function meantFor({ user, audiences }: TokenOwner, accepted: readonly string[]): UserInfo | Refused {
  if (!audiences || audiences.length === 0 || accepted.length === 0) return user
  if (audiences.some((audience) => accepted.includes(audience))) return user
  return {
    error: `unable to match the audience: [${audiences.join(" ")}] , accepted: [${accepted.join(" ")}]`,
  }
}

/** Mirrors: apiserver pkg/authentication/group/authenticated_group_adder.go */
function withGroup(user: UserInfo): UserInfo {
  const { groups } = user
  if (groups.includes(allAuthenticated) || groups.includes(allUnauthenticated)) return user
  return { ...user, groups: [...groups, allAuthenticated] }
}

/** Mirrors: apiserver pkg/authentication/request/bearertoken */
function bearerToken(exchange: Credentials): string | undefined {
  const [scheme, token] = exchange.header("authorization").trim().split(" ", 2)
  return scheme?.toLowerCase() === "bearer" && token ? token : undefined
}

const invalidEncoding: Refused = Object.freeze({
  error: "invalid base64.bearer.authorization token encoding",
})

const protocolPrefix = "base64url.bearer.authorization.k8s.io."

/**
 * Browsers cannot set headers on WebSockets: there the token travels as a subprotocol, beside the one that is
 * meant. Mirrors: apiserver pkg/authentication/request/websocket
 */
function webSocketToken(exchange: Credentials): string | Refused | undefined {
  const protocols = exchange.header("sec-websocket-protocol")
  if (!protocols.includes(protocolPrefix) || !isWebSocketRequest(exchange)) return undefined
  const all = protocols.split(",").map((protocol) => protocol.trim())
  const [found, ...more] = all.filter((protocol) => protocol.startsWith(protocolPrefix))
  const text = found?.slice(protocolPrefix.length) ?? ""
  if (more.length > 0) return { error: "multiple base64.bearer.authorization tokens specified" }
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return invalidEncoding
  const bytes = Buffer.from(text, "base64url")
  if (!isUtf8(bytes)) return { error: "invalid base64.bearer.authorization token" }
  if (bytes.length === 0) return undefined
  return all.length < 2 ? { error: "missing additional subprotocol" } : bytes.toString("utf8")
}

function isWebSocketRequest(exchange: Credentials): boolean {
  return (
    exchange.header("upgrade").toLowerCase() === "websocket" &&
    exchange
      .header("connection")
      .split(",")
      .some((option) => option.trim().toLowerCase() === "upgrade")
  )
}
