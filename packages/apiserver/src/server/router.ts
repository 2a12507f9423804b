/** From a request that may pass to the part that answers it. */
import { pathNotFound } from "@knarr/apimachinery"
import { checkRouted } from "./accept.ts"
import { methodNotAllowed } from "./refusals.ts"
import type { RequestContext, RequestInfo } from "../contract.ts"
import type { Handler } from "./filters.ts"
import { respondNotFound } from "./respond.ts"
import type { ServerExchange } from "./exchange.ts"

export interface RouterOptions {
  readonly resources: Handler
  /** What takes over the requests to a subresource that streams or proxies. */
  streaming(info: RequestInfo): Handler | undefined
  /** Paths beside resources, for any method; a key that ends in "/" stands for all below it. */
  readonly paths: ReadonlyMap<string, Handler>
  /** Paths that Go's router serves: with or without a slash behind them, GET alone, and what they produce. */
  readonly routes: ReadonlyMap<string, { readonly produces: readonly string[]; readonly handler: Handler }>
  readonly discovery: Handler
}

export function createRouter(options: RouterOptions): Handler {
  const { paths, routes } = options
  const prefixes = [...paths.keys()]
    .filter((path) => path.endsWith("/") && path !== "/")
    .sort((a, b) => b.length - a.length)
  return (exchange: ServerExchange, ctx: RequestContext) => {
    const { info } = ctx
    if (info.isResourceRequest) {
      const stream = info.subresource === "" ? undefined : options.streaming(info)
      return stream ? stream(exchange, ctx) : options.resources(exchange, ctx)
    }
    const { path } = exchange
    const handler = path.endsWith("/") && path !== "/" ? undefined : paths.get(path)
    if (handler) return handler(exchange, ctx)
    for (const [root, route] of routes) {
      if (path !== root && !path.startsWith(`${root}/`)) continue
      if (path.length > root.length + 1) throw pathNotFound()
      if (exchange.method !== "GET") throw methodNotAllowed()
      checkRouted(exchange, route.produces)
      return route.handler(exchange, ctx)
    }
    if (/^\/apis?(\/|$)/.test(path)) return options.discovery(exchange, ctx)
    const prefix = prefixes.find((candidate) => path.startsWith(candidate))
    return prefix === undefined ? respondNotFound(exchange) : paths.get(prefix)!(exchange, ctx)
  }
}
