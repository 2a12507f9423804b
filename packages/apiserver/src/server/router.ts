/** From a request that may pass to the part that answers it. */
import { methodNotAllowed } from "./refusals.ts"
import type { RequestContext } from "../contract.ts"
import type { Handler } from "./filters.ts"
import { respondNotFound } from "./respond.ts"
import type { ServerExchange } from "./exchange.ts"

export interface RouterOptions {
  readonly resources: Handler
  /** `<resource>/<subresource>` of the core group that streams or proxies. */
  readonly streaming: ReadonlyMap<string, Handler>
  /** Paths beside resources; a key that ends in "/" stands for all below it. GET and HEAD only. */
  readonly paths: ReadonlyMap<string, Handler>
  readonly discovery: Handler
}

export function createRouter(options: RouterOptions): Handler {
  const { paths, streaming } = options
  const prefixes = [...paths.keys()]
    .filter((path) => path.endsWith("/") && path !== "/")
    .sort((a, b) => b.length - a.length)
  return (exchange: ServerExchange, ctx: RequestContext) => {
    const { info } = ctx
    if (info.isResourceRequest) {
      if (info.subresource !== "" && info.apiGroup === "") {
        const stream = streaming.get(`${info.resource}/${info.subresource}`)
        if (stream) return stream(exchange, ctx)
      }
      return options.resources(exchange, ctx)
    }
    const path =
      exchange.path.length > 1 && exchange.path.endsWith("/") ? exchange.path.slice(0, -1) : exchange.path
    let handler = paths.get(path)
    if (
      !handler &&
      (path === "/api" || path === "/apis" || path.startsWith("/api/") || path.startsWith("/apis/"))
    )
      handler = options.discovery
    if (!handler) {
      const prefix = prefixes.find((candidate) => exchange.path.startsWith(candidate))
      if (prefix !== undefined) handler = paths.get(prefix)
    }
    if (!handler) return respondNotFound(exchange)
    if (exchange.method !== "GET" && exchange.method !== "HEAD") throw methodNotAllowed()
    return handler(exchange, ctx)
  }
}
