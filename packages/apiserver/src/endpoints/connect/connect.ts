/** The streaming subresources, as plain requests and as upgrades. */
import { badRequest } from "@knarr/apimachinery"
import type { Env, Scope } from "@knarr/base"
import type { RequestContext } from "../../contract.ts"
import type { Registry } from "../../registry/registry.ts"
import { defineHandler, type Handler as SubresourceHandler } from "../../registry/verbs/handler.ts"
import type { ServerExchange, Upgrade } from "../../server/exchange.ts"
import type { Handler } from "../../server/filters.ts"
import { admitConnection } from "./admit.ts"
import { withoutBearer } from "./headers.ts"
import { KubeletClient, type KubeletOptions, type Location } from "./kubelet.ts"
import { logHandler } from "./logs.ts"
import { flag, requireContainer, requireHost, requirePod, streamPath } from "./pod-target.ts"
import { proxyHandler } from "./proxy.ts"
import type { Destinations } from "./proxyable.ts"
import { splice } from "./upgrade.ts"
import { channelProtocol, isPortForwardTunnel, requireHandshake, translate, tunnel } from "./websocket.ts"

export interface StreamingOptions {
  readonly env: Env
  readonly registry: Registry
  readonly kubelet: KubeletOptions | undefined
  readonly destinations: Destinations
  readonly scope: Scope
}

/** The handlers of `pods/log`, `pods/exec`, … */
export function streamingHandlers(options: StreamingOptions): SubresourceHandler[] {
  const { env, registry, scope } = options
  const kubelet = new KubeletClient(registry, options.kubelet, options.destinations)
  scope.defer(() => kubelet.close())
  const proxy = proxyHandler(env, registry, kubelet)
  const streams: Handler = (exchange, ctx) => {
    const { upgrade } = exchange
    if (upgrade) return stream(registry, kubelet, exchange, upgrade, ctx)
    // What is wrong with the request is said first.
    kubeletPath(registry, kubelet, exchange.query, ctx)
    throw badRequest("Upgrade request required")
  }
  return [
    defineHandler({ resource: "pods", name: "log", connect: logHandler(registry, kubelet) }),
    connecting(registry, "pods", "exec", streams),
    connecting(registry, "pods", "attach", streams),
    connecting(registry, "pods", "portforward", streams),
    connecting(registry, "pods", "proxy", proxy),
    connecting(registry, "services", "proxy", proxy),
    connecting(registry, "nodes", "proxy", proxy),
  ]
}

/** What is led to another server is admitted, and cannot be tried out. */
function connecting(
  registry: Registry,
  resource: string,
  name: string,
  handler: Handler,
): SubresourceHandler {
  return defineHandler({
    resource,
    name,
    async connect(exchange, ctx) {
      if (exchange.query.has("dryRun")) throw badRequest("dryRun is not supported")
      await admitConnection(registry.find("", "v1", resource)!, exchange, ctx)
      return handler(exchange, ctx)
    },
  })
}

/** Nothing is asked of the kubelet before the client's own request is known to be right. */
async function stream(
  registry: Registry,
  kubelet: KubeletClient,
  exchange: ServerExchange,
  upgrade: Upgrade,
  ctx: RequestContext,
): Promise<void> {
  const { query } = exchange
  const { signal } = ctx
  const { at, path } = kubeletPath(registry, kubelet, query, ctx)
  const connect = (
    method: string,
    headers: Record<string, string | string[]>,
  ): ReturnType<KubeletClient["upgrade"]> => kubelet.upgrade(at, method, path, headers, signal)
  if (exchange.header("upgrade").toLowerCase() !== "websocket")
    return splice(
      upgrade,
      await connect("POST", spdyHeaders(exchange.headers["x-stream-protocol-version"])),
      signal,
    )
  requireHandshake(upgrade)
  if (ctx.info.subresource === "portforward") {
    if (isPortForwardTunnel(upgrade))
      return tunnel(exchange, upgrade, await connect("POST", spdyHeaders("portforward.k8s.io")), signal)
    if (!channelProtocol(upgrade))
      throw badRequest("unable to upgrade: no supported port forward protocol was offered")
    // Channels of a WebSocket, as the kubelet itself speaks them.
    return splice(upgrade, await connect("GET", webSocketHeaders(exchange)), signal)
  }
  if (channelProtocol(upgrade) === undefined)
    throw badRequest("unable to upgrade: no supported stream protocol was offered")
  const channels = {
    stdin: flag(query, "stdin"),
    stdout: flag(query, "stdout"),
    stderr: flag(query, "stderr"),
    tty: flag(query, "tty"),
  }
  translate(exchange, upgrade, await connect("POST", spdyHeaders("v4.channel.k8s.io")), channels, signal)
}

/** The client's handshake, but for who it is. */
function webSocketHeaders(exchange: ServerExchange): Record<string, string> {
  return {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-key": exchange.header("sec-websocket-key"),
    "sec-websocket-version": exchange.header("sec-websocket-version"),
    "sec-websocket-protocol": withoutBearer(exchange.header("sec-websocket-protocol")),
  }
}

function kubeletPath(
  registry: Registry,
  kubelet: KubeletClient,
  query: URLSearchParams,
  ctx: RequestContext,
): { at: Location; path: string } {
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
