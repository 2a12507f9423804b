/**
 * Paths of proxied requests, and what leads back behind the proxy.
 * Mirrors: apimachinery pkg/util/net/http.go JoinPreservingTrailingSlash, pkg/util/proxy/transport.go rewriteURL
 */
import { posix } from "node:path"
import type { Location } from "./kubelet.ts"

/** Without `.`, `..` and empty segments; a slash at the end stays. */
export function cleanPath(path: string): string {
  if (path === "") return ""
  const clean = posix.normalize(path)
  return clean.startsWith("/") ? clean : `/${clean}`
}

/** Escapes a decoded path as Go does. */
export function escapePath(path: string): string {
  return Buffer.from(path, "utf8")
    .toString("latin1")
    .replace(
      /[^A-Za-z0-9\-_.~$&+,/:;=@]/g,
      (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    )
}

/**
 * Leads links to the target's own absolute paths through `base`; others stay as they are. `asked`: the host that the client
 * named, which back ends know.
 */
export function createRewrite(target: Location, asked: string, base: string): (link: string) => string {
  const host = target.host.includes(":") ? `[${target.host}]` : target.host
  const own = `${host}:${target.port}`
  return (link) => {
    const parts = /^([A-Za-z][A-Za-z0-9+.-]*:)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/s.exec(link)
    if (!parts) return link
    const [, scheme = "", authority = "", path = "", rest = ""] = parts
    if ((authority !== "" && authority !== own && authority !== asked) || !path.startsWith("/")) return link
    const kept = authority !== "" && authority === asked ? `${scheme}//${authority}` : ""
    return kept + (path.startsWith(base) ? path : base + cleanPath(path)) + rest
  }
}
