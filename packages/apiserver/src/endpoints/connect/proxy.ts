/**
 * `pods/proxy`, `services/proxy` and `nodes/proxy`: any HTTP request, passed on to what the name points at.
 * Mirrors: pkg/registry/core/{pod,service,node}/rest, apimachinery pkg/util/proxy
 */
import { pipeline } from "node:stream"
import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from "node:http"
import { Agent as HttpsAgent, request as httpsRequest } from "node:https"
import { endpointSlice, service } from "@knarr/api"
import {
  notFound,
  badRequest,
  internalError,
  serviceUnavailable,
  type StatusError,
} from "@knarr/apimachinery"
import { asError, randomInt, type Env } from "@knarr/base"
import { copyBody, forwardedHeaders, hasBody, isSafe } from "./forward.ts"
import { endToEnd } from "./headers.ts"
import { createLinkRewriter } from "./html-links.ts"
import type { RequestInfo, ResponseStream } from "../../contract.ts"
import type { Handler } from "../../server/filters.ts"
import type { HeaderLine, ServerExchange } from "../../server/exchange.ts"
import { dialText } from "../../outbound/dial-text.ts"
import type { Registry } from "../../registry/registry.ts"
import { awaitUpgrade, sendRequest, silenceMs, type KubeletClient } from "./kubelet.ts"
import { requirePod } from "./pod-target.ts"
import { AddressNotAllowed, type Destinations } from "./proxyable.ts"
import { splice } from "./upgrade.ts"

/** Where a proxied request goes. */
export interface ProxyTarget {
  readonly kubelet: boolean
  readonly tls: boolean
  readonly host: string
  readonly port: number
}

const httpAgent = new HttpAgent({ keepAlive: true, maxFreeSockets: 64 })
// What is behind a pod or a service has certificates that nobody here can verify, as upstream.
const httpsAgent = new HttpsAgent({ keepAlive: true, maxFreeSockets: 64, rejectUnauthorized: false })

interface ProxyName {
  readonly scheme: string
  readonly name: string
  readonly port: string
}

/** `scheme:name:port`, `name:port` or `name`. */
function parseName(text: string): ProxyName | undefined {
  const parts = text.split(":")
  if (parts.length === 1) return { scheme: "", name: parts[0]!, port: "" }
  if (parts.length === 2) return { scheme: "", name: parts[0]!, port: parts[1]! }
  if (parts.length === 3 && (parts[0] === "" || parts[0] === "http" || parts[0] === "https"))
    return { scheme: parts[0]!, name: parts[1]!, port: parts[2]! }
  return undefined
}

/** Finds what a proxy request is for. Throws StatusErrors. */
export function proxyTarget(
  env: Env,
  registry: Registry,
  kubelet: KubeletClient,
  info: RequestInfo,
): ProxyTarget {
  const parsed = parseName(info.name)
  if (!parsed) throw badRequest(`invalid ${info.resource.slice(0, -1)} request ${JSON.stringify(info.name)}`)
  const tls = parsed.scheme === "https"
  const { destinations } = kubelet
  switch (info.resource) {
    case "nodes": {
      const at = kubelet.locate(parsed.name, "nodes")
      destinations.requireProxyable(at.host)
      if (parsed.port === "" || Number(parsed.port) === at.port) return { kubelet: true, tls: true, ...at }
      return { kubelet: false, tls, host: at.host, port: portNumber(parsed.port, info) }
    }
    case "pods": {
      const target = requirePod(registry, info.namespace, parsed.name)
      const host = destinations.requireProxyable(target.status?.podIP ?? "")
      const first = target.spec.containers.flatMap((c) => c.ports ?? [])[0]?.containerPort
      const port = parsed.port === "" ? (first ?? (tls ? 443 : 80)) : portNumber(parsed.port, info)
      return { kubelet: false, tls, host, port }
    }
    default:
      return serviceTarget(env, registry, destinations, info, parsed, tls)
  }
}

function portNumber(text: string, info: RequestInfo): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw badRequest(`invalid ${info.resource.slice(0, -1)} request ${JSON.stringify(info.name)}`)
  return port
}

function serviceTarget(
  env: Env,
  registry: Registry,
  destinations: Destinations,
  info: RequestInfo,
  parsed: ProxyName,
  tls: boolean,
): ProxyTarget {
  const { namespace } = info
  let portName = parsed.port
  const found = registry.get(service, { namespace, name: parsed.name })
  if (!found && /^\d+$/.test(portName)) throw notFound({ group: "", resource: "services" }, parsed.name)
  if (found && portName !== "" && /^\d+$/.test(portName)) {
    const port = found.spec.ports?.find((p) => p.port === Number(portName))
    if (!port)
      throw serviceUnavailable(`no service port ${portName} found for service ${JSON.stringify(parsed.name)}`)
    portName = port.name ?? ""
  } else if (found && portName === "" && (found.spec.ports?.length ?? 0) >= 1)
    portName = found.spec.ports![0]!.name ?? ""
  const candidates: { host: string; port: number }[] = []
  for (const slice of registry.list(endpointSlice, namespace)) {
    if (slice.metadata.labels?.["kubernetes.io/service-name"] !== parsed.name) continue
    const port = slice.ports?.find((p) => (p.name ?? "") === portName)?.port
    if (port === undefined) continue
    for (const endpoint of slice.endpoints ?? [])
      if (endpoint.conditions?.ready !== false && endpoint.addresses[0] !== undefined)
        candidates.push({ host: endpoint.addresses[0], port })
  }
  if (candidates.length === 0)
    throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(info.name)}`)
  const chosen = candidates[randomInt(env.random, candidates.length)]!
  return { kubelet: false, tls, host: destinations.requireProxyable(chosen.host), port: chosen.port }
}

/** The path at the target: what follows `/proxy`, with the query. */
function targetPath(info: RequestInfo, search: string): string {
  return `/${info.rest}${search}`
}

/** Begins the request to the target. What becomes another protocol has a connection of its own. */
function openRequest(
  kubelet: KubeletClient,
  target: ProxyTarget,
  method: string,
  path: string,
  headers: OutgoingHttpHeaders,
  upgrade = false,
): ClientRequest {
  const { host, port } = target
  const lookup = kubelet.destinations.proxyableLookup
  if (target.kubelet) return kubelet.request(target, method, path, headers, { upgrade, lookup })
  const common = { host, port, method, path, headers, lookup }
  const options = upgrade ? { ...common, agent: false, timeout: silenceMs } : common
  return target.tls
    ? httpsRequest({ agent: httpsAgent, rejectUnauthorized: false, ...options })
    : httpRequest({ agent: httpAgent, ...options })
}

function failure(error: Error): StatusError {
  if (error instanceof AddressNotAllowed) return badRequest(error.message)
  return serviceUnavailable(`error trying to reach service: ${dialText(error)}`)
}

export function proxyHandler(env: Env, registry: Registry, kubelet: KubeletClient): Handler {
  return async (exchange, ctx) => {
    const { info, signal } = ctx
    const target = proxyTarget(env, registry, kubelet, info)
    const path = targetPath(info, exchange.search)
    const prefix = withoutTrailingSlash(exchange.path.slice(0, exchange.path.length - info.rest.length))
    const rewrite = (link: string): string => rewriteLocation(link, target, prefix)
    const host = target.host.includes(":") ? `[${target.host}]` : target.host
    const headers: OutgoingHttpHeaders = forwardedHeaders(exchange, `${host}:${target.port}`)
    const { upgrade } = exchange
    if (upgrade) {
      headers["connection"] = "Upgrade"
      headers["upgrade"] = exchange.header("upgrade")
      const request = openRequest(kubelet, target, exchange.method, path, headers, true)
      const answer = await awaitUpgrade(request, failure, signal)
      if ("socket" in answer) return splice(upgrade, answer, signal)
      const status = answer.response.statusCode ?? 0
      if (status >= 400) return passOn(exchange, answer.response, rewrite, signal)
      answer.response.destroy()
      throw internalError(`invalid upgrade response: status code ${status}`)
    }
    const reading = exchange.method === "GET" || exchange.method === "HEAD"
    if (info.rest === "" && !exchange.path.endsWith("/") && reading) {
      exchange.setHeader("Location", `${exchange.path}/${exchange.search}`)
      return exchange.respond(301, "", "")
    }
    const bodiless = !hasBody(exchange)
    const response = await sendRequest(
      () => openRequest(kubelet, target, exchange.method, path, headers),
      (request) => {
        if (bodiless) return void request.end()
        // What of the body does not come is told by the signal, and ends the request to the target.
        const body = exchange.bodyStream()
        body.on("error", (error) => request.destroy(error))
        body.pipe(request)
      },
      { safe: bodiless && isSafe(exchange.method), signal, failure },
    )
    return passOn(exchange, response, rewrite, signal)
  }
}

/** Sends an answer on as it comes. Throws a StatusError, before anything is sent, when the client cannot be given it. */
async function passOn(
  exchange: ServerExchange,
  response: IncomingMessage,
  rewrite: (link: string) => string,
  signal: AbortSignal,
): Promise<void> {
  const { "content-type": type = "", ...answered } = endToEnd(response.headers)
  const isPage = /^text\/html\b/.test(String(type)) && !answered["content-encoding"]
  // HTTP/2 clients take a 204 with a length for an error.
  if (isPage || response.statusCode === 204) delete answered["content-length"]
  const headers: HeaderLine[] = []
  for (const name in answered)
    for (const value of [answered[name]!].flat())
      headers.push([name, name === "location" ? rewrite(value) : value])
  let out: ResponseStream
  try {
    out = exchange.stream(response.statusCode ?? 0, String(type), headers)
  } catch (thrown) {
    response.destroy()
    throw failure(asError(thrown))
  }
  const body = isPage ? pipeline(response, createLinkRewriter(rewrite), () => {}) : response
  await copyBody(body, out, signal)
  response.destroy()
}

function withoutTrailingSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path
}

/** A redirect inside the target stays behind the proxy. */
function rewriteLocation(value: string, target: ProxyTarget, prefix: string): string {
  if (value.startsWith("/")) return prefix + value
  try {
    const url = new URL(value)
    if (
      url.hostname === target.host &&
      Number(url.port || (url.protocol === "https:" ? 443 : 80)) === target.port
    )
      return prefix + url.pathname + url.search
  } catch {
    // A relative location needs no change.
  }
  return value
}
