/** What of a request's or an answer's headers goes on to the other side of a proxy. */
import type { IncomingHttpHeaders } from "node:http"

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** What concerns one connection only. Mirrors: net/http/httputil hopHeaders */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
])

const bearerProtocol = "base64url.bearer.authorization.k8s.io."

/** Copies what may travel on: neither pseudo-headers, nor hop-by-hop ones, nor those that `Connection` names. */
export function endToEnd(headers: Headers | IncomingHttpHeaders): Record<string, string | string[]> {
  const named = new Set<string>()
  for (const value of [headers["connection"] ?? []].flat())
    for (const name of value.split(",")) named.add(name.trim().toLowerCase())
  const out: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || name.startsWith(":") || hopByHop.has(name) || named.has(name)) continue
    out[name] = value
  }
  return out
}

/** The same headers without who sends them: tokens in whatever place, impersonation, what a front proxy would say. */
export function withoutCredentials(headers: Headers): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || name === "authorization" || name === "proxy-authorization") continue
    if (name.startsWith("impersonate-") || name.startsWith("x-remote-")) continue
    if (name === "sec-websocket-protocol") {
      const kept = withoutBearer(value)
      if (kept !== "") out[name] = kept
      continue
    }
    out[name] = value
  }
  return out
}

/** The WebSocket subprotocols that are offered, but for the one that is a token. */
export function withoutBearer(protocols: string | readonly string[]): string {
  return [protocols]
    .flat()
    .flatMap((list) => list.split(","))
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== "" && !protocol.startsWith(bearerProtocol))
    .join(", ")
}
