/**
 * Who sends a request: a client certificate, else a bearer token, else anonymous. Wrong credentials are never
 * taken for none. Mirrors: pkg/kubeapiserver/authenticator, apiserver pkg/authentication/request
 */
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

export interface Authenticator {
  /** The user of a request. Throws the 401 StatusError. */
  authenticate(exchange: ServerExchange): UserInfo
  /** The user of a token, as TokenReview asks. */
  authenticateToken(
    token: string,
    audiences: readonly string[],
  ): { readonly user: UserInfo; readonly audiences: readonly string[] } | { readonly error: string }
  /** The server's own audiences. */
  readonly audiences: readonly string[]
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { certificates, serviceAccountTokens, audiences, staticTokens } = options
  const authenticateToken: Authenticator["authenticateToken"] = (token, wanted) => {
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
      const token = bearerToken(exchange)
      if (token !== undefined) {
        const result = authenticateToken(token, audiences)
        if ("user" in result) return result.user
        throw unauthorized("Unauthorized")
      }
      if (certificate) throw unauthorized("Unauthorized")
      if (options.anonymous === false) throw unauthorized("Unauthorized")
      return anonymousUser
    },
  }
}

const protocolPrefix = "base64url.bearer.authorization.k8s.io."

function bearerToken(exchange: ServerExchange): string | undefined {
  const header = exchange.header("authorization").trim()
  if (header !== "") {
    const [scheme, token, ...more] = header.split(/ +/)
    if (scheme!.toLowerCase() !== "bearer" || !token || more.length > 0) return undefined
    return token
  }
  // Browsers cannot set headers on WebSockets: the token travels as a subprotocol.
  const protocols = exchange.header("sec-websocket-protocol")
  if (protocols === "" || !protocols.includes(protocolPrefix)) return undefined
  const protocol = protocols.split(",").find((p) => p.trim().startsWith(protocolPrefix))!
  return Buffer.from(protocol.trim().slice(protocolPrefix.length), "base64url").toString("utf8")
}
