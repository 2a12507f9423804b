/**
 * Who sends a request: a client certificate, else a bearer token, else anonymous. Wrong credentials are never
 * taken for none. Mirrors: pkg/kubeapiserver/authenticator, apiserver pkg/authentication/request
 */
import { isUtf8 } from "node:buffer"
import { unauthorized } from "@knarr/apimachinery"
import type { UserInfo } from "../contract.ts"
import type { ServerExchange } from "../server/exchange.ts"
import type { ServiceAccountTokens } from "./service-account-tokens.ts"
import { anonymousUser } from "./users.ts"
import type { ClientCertificates } from "./x509.ts"

export interface AuthenticatorOptions {
  readonly certificates: ClientCertificates
  readonly serviceAccountTokens: ServiceAccountTokens
  /** What a token must be meant for. */
  readonly audiences: readonly string[]
  /** Default true, as upstream. */
  readonly anonymous?: boolean | undefined
  /** Tokens with a fixed user (`--token-auth-file`, bootstrap). */
  readonly staticTokens?: ReadonlyMap<string, UserInfo> | undefined
}

/** What of a request says who sends it. */
export type Credentials = Pick<ServerExchange, "header" | "socket">

export interface Authenticator {
  /** The user of a request. Throws the 401 StatusError. */
  authenticate(exchange: Credentials): UserInfo
  /** The user of a token, as TokenReview asks. */
  authenticateToken(
    token: string,
    audiences: readonly string[],
  ): { readonly user: UserInfo; readonly audiences: readonly string[] } | { readonly error: string }
  /** The server's own audiences. */
  readonly audiences: readonly string[]
}

/** The longest token that is looked at, in characters: those that the server issues have about a thousand. */
const maxTokenLength = 16 * 1024

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { certificates, serviceAccountTokens, audiences, staticTokens } = options
  const authenticateToken: Authenticator["authenticateToken"] = (token, wanted) => {
    if (token.length > maxTokenLength) return { error: "invalid bearer token" }
    const fixed = staticTokens?.get(token)
    if (fixed) return { user: fixed, audiences: wanted }
    return serviceAccountTokens.authenticate(token, wanted) ?? { error: "invalid bearer token" }
  }
  return {
    audiences,
    authenticateToken,
    authenticate(exchange) {
      const certificate = certificates.authenticate(exchange.socket)
      if (certificate && "name" in certificate) return certificate
      const tokens = [bearerToken(exchange), webSocketToken(exchange)].filter((token) => token !== undefined)
      for (const token of tokens) {
        const result = authenticateToken(token, audiences)
        if ("user" in result) return result.user
      }
      if (tokens.length > 0) throw unauthorized("Unauthorized")
      if (certificate) throw unauthorized("Unauthorized")
      if (options.anonymous === false) throw unauthorized("Unauthorized")
      return anonymousUser
    },
  }
}

/** Mirrors: apiserver pkg/authentication/request/bearertoken */
function bearerToken(exchange: Credentials): string | undefined {
  const [scheme, token] = exchange.header("authorization").trim().split(" ", 2)
  return scheme?.toLowerCase() === "bearer" && token ? token : undefined
}

const protocolPrefix = "base64url.bearer.authorization.k8s.io."

/**
 * Browsers cannot set headers on WebSockets: there the token travels as a subprotocol, beside the one that is
 * meant. Throws the 401 StatusError. Mirrors: apiserver pkg/authentication/request/websocket
 */
function webSocketToken(exchange: Credentials): string | undefined {
  const protocols = exchange.header("sec-websocket-protocol")
  if (!protocols.includes(protocolPrefix) || !isWebSocketRequest(exchange)) return undefined
  const all = protocols.split(",").map((protocol) => protocol.trim())
  const [found, ...more] = all.filter((protocol) => protocol.startsWith(protocolPrefix))
  const text = found?.slice(protocolPrefix.length) ?? ""
  if (more.length > 0 || all.length < 2 || !/^[A-Za-z0-9_-]*$/.test(text)) throw unauthorized("Unauthorized")
  const bytes = Buffer.from(text, "base64url")
  if (!isUtf8(bytes)) throw unauthorized("Unauthorized")
  return bytes.length === 0 ? undefined : bytes.toString("utf8")
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
