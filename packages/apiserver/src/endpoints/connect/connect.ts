/** The streaming subresources, as plain requests and as upgrades. */
import { badRequest } from "@knarr/apimachinery"
import { CancelledError, type Env, type Scope } from "@knarr/base"
import { forbiddenError } from "../../authz/forbidden.ts"
import type { RequestContext } from "../../contract.ts"
import type { Registry } from "../../registry/registry.ts"
import { attributesOf, authorizeRequest, type FilterOptions, type Handler } from "../../server/filters.ts"
import type { UpgradeRequest } from "../../server/listener.ts"
import { parseRequestInfo } from "../../server/request-info.ts"
import { respondError } from "../../server/respond.ts"
import type { Http1Exchange } from "../../server/exchange.ts"
import { serviceUnavailable } from "@knarr/apimachinery"
import {
  awaitUpgrade,
  dialText,
  KubeletClient,
  type KubeletOptions,
  type UpgradedConnection,
} from "./kubelet.ts"
import { logHandler, openLog } from "./logs.ts"
import { flag, requireContainer, requireHost, requirePod, streamPath } from "./pod-target.ts"
import { forwardedHeaders, openRequest, proxyHandler, proxyTarget, targetPath } from "./proxy.ts"
import { exchangeOfUpgrade, splice } from "./upgrade.ts"
import { channelProtocol, isPortForwardTunnel, translate, tunnel, sendOverWebSocket } from "./websocket.ts"

export interface StreamingOptions {
  readonly env: Env
  readonly registry: Registry
  readonly kubelet: KubeletOptions | undefined
  readonly scope: Scope
}

export interface Streaming {
  /** `pods/log`, `pods/exec`, … */
  readonly handlers: ReadonlyMap<string, Handler>
  /** Answers an upgrade request, whatever it is for. Never throws. */
  upgrade(request: UpgradeRequest, filters: FilterOptions): void
}

export function connectStreaming(options: StreamingOptions): Streaming {
  const { env, registry, scope } = options
  const kubelet = new KubeletClient(registry, options.kubelet)
  scope.defer(() => kubelet.close())
  const proxy = proxyHandler(env, registry, kubelet)
  const upgradeRequired: Handler = (exchange, ctx) => {
    // What is wrong with the request is said first.
    kubeletPath(registry, kubelet, exchange.query, ctx)
    throw badRequest("Upgrade request required")
  }
  const handlers = new Map<string, Handler>([
    ["pods/log", logHandler(registry, kubelet)],
    ["pods/exec", upgradeRequired],
    ["pods/attach", upgradeRequired],
    ["pods/portforward", upgradeRequired],
    ["pods/proxy", proxy],
    ["services/proxy", proxy],
    ["nodes/proxy", proxy],
  ])

  const serve = async (
    exchange: Http1Exchange,
    upgrade: UpgradeRequest,
    filters: FilterOptions,
    detach: () => void,
  ): Promise<void> => {
    const info = parseRequestInfo(exchange.method, exchange.path, exchange.query)
    const { ctx } = authorizeRequest(exchange, filters, info)
    const key = info.apiGroup === "" ? `${info.resource}/${info.subresource}` : ""
    const webSocket = exchange.header("upgrade").toLowerCase() === "websocket"
    if (key === "pods/log" && webSocket) {
      const log = await openLog(registry, kubelet, exchange.query, ctx)
      detach()
      return sendOverWebSocket(upgrade, log, scope.signal)
    }
    if (key === "pods/exec" || key === "pods/attach" || key === "pods/portforward") {
      if (webSocket && info.verb === "get") requireCreate(filters, ctx)
      const { at, path } = kubeletPath(registry, kubelet, exchange.query, ctx)
      if (!webSocket) {
        const connection = await kubelet.upgrade(
          at,
          "POST",
          path,
          spdyHeaders(exchange.headers["x-stream-protocol-version"]),
        )
        detach()
        return splice(upgrade, connection, scope.signal)
      }
      if (key === "pods/portforward") {
        if (!isPortForwardTunnel(upgrade)) {
          if (!channelProtocol(upgrade))
            throw badRequest("unable to upgrade: no supported port forward protocol was offered")
          // Channels of a WebSocket, as the kubelet itself speaks them.
          const channels = await kubelet.upgrade(at, "GET", path, webSocketHeaders(exchange))
          detach()
          return splice(upgrade, channels, scope.signal)
        }
        const connection = await kubelet.upgrade(at, "POST", path, spdyHeaders("portforward.k8s.io"))
        detach()
        return tunnel(upgrade, connection, scope.signal)
      }
      const protocol = channelProtocol(upgrade)
      if (protocol === undefined)
        throw badRequest("unable to upgrade: no supported stream protocol was offered")
      const connection = await kubelet.upgrade(at, "POST", path, spdyHeaders("v4.channel.k8s.io"))
      detach()
      const { query } = exchange
      const channels = {
        stdin: flag(query, "stdin"),
        stdout: flag(query, "stdout"),
        stderr: flag(query, "stderr"),
        tty: flag(query, "tty"),
      }
      return translate(upgrade, connection, channels, scope.signal)
    }
    if (key === "pods/proxy" || key === "services/proxy" || key === "nodes/proxy") {
      const target = proxyTarget(env, registry, kubelet, info)
      const headers = forwardedHeaders(exchange, target)
      headers["connection"] = "Upgrade"
      headers["upgrade"] = exchange.header("upgrade")
      const request = openRequest(
        kubelet,
        target,
        exchange.method,
        targetPath(info, exchange.search),
        headers,
      )
      const connection: UpgradedConnection = await awaitUpgrade(request, (error) =>
        serviceUnavailable(`error trying to reach service: ${dialText(error)}`),
      )
      detach()
      return splice(upgrade, connection, scope.signal)
    }
    throw badRequest("this request cannot be upgraded")
  }

  return {
    handlers,
    upgrade(upgrade, filters) {
      if (scope.signal.aborted) return void upgrade.socket.destroy()
      const { exchange, detach } = exchangeOfUpgrade(upgrade)
      exchange.setHeader("Connection", "close")
      serve(exchange, upgrade, filters, detach).catch((thrown: unknown) => {
        if (thrown instanceof CancelledError) return exchange.destroy()
        respondError(exchange, thrown)
      })
    },
  }
}

/** The handshake as the client sent it, but for who it is. */
function webSocketHeaders(exchange: Http1Exchange): Record<string, string> {
  const headers: Record<string, string> = { connection: "Upgrade", upgrade: "websocket" }
  for (const name of ["key", "version", "protocol"].map((part) => `sec-websocket-${part}`))
    headers[name] = exchange.header(name)
  return headers
}

/** A WebSocket always begins with GET: who may only read must not get in by it. */
function requireCreate(filters: FilterOptions, ctx: RequestContext): void {
  const attributes = { ...attributesOf(ctx.info, () => null), verb: "create" }
  const decision = filters.authorizer.authorize(ctx.user, attributes)
  if (!decision.allowed) throw forbiddenError(ctx.user, attributes, decision.reason)
}

function kubeletPath(
  registry: Registry,
  kubelet: KubeletClient,
  query: URLSearchParams,
  ctx: RequestContext,
): { at: ReturnType<KubeletClient["locate"]>; path: string } {
  const { namespace, name, subresource } = ctx.info
  const target = requirePod(registry, namespace, name)
  if (subresource === "portforward") {
    const at = kubelet.locate(requireHost(target))
    const ports = query.getAll("ports").map((port) => `port=${encodeURIComponent(port)}`)
    const path = `/portForward/${namespace}/${name}`
    return { at, path: ports.length === 0 ? path : `${path}?${ports.join("&")}` }
  }
  const container = requireContainer(target, query.get("container") ?? "")
  const at = kubelet.locate(requireHost(target))
  return { at, path: streamPath(subresource as "exec" | "attach", target, container, query) }
}

function spdyHeaders(protocols: string | string[] | undefined): Record<string, string | string[]> {
  return {
    connection: "Upgrade",
    upgrade: "SPDY/3.1",
    "content-length": "0",
    ...(protocols === undefined
      ? {}
      : { "x-stream-protocol-version": typeof protocols === "string" ? protocols.split(", ") : protocols }),
  }
}
