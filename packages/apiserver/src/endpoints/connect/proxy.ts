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
import { endpointSlice, pod, service, type Endpoint } from "@knarr/api"
import {
  notFound,
  badRequest,
  internalError,
  serviceUnavailable,
  type StatusError,
} from "@knarr/apimachinery"
import { asError, randomInt, type Env } from "@knarr/base"
import { copyBody, crossOrigin, forwardedHeaders, hasBody, isSafe } from "./forward.ts"
import { endToEnd } from "./headers.ts"
import { createLinkRewriter, pageCoding } from "./html-links.ts"
import { cleanPath, createRewrite, escapePath } from "./proxy-paths.ts"
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
  if (parts.length > 3) return undefined
  const [scheme, name, port = ""] = parts.length === 3 ? parts : ["", ...parts]
  if (!name || (scheme !== "" && scheme !== "http" && scheme !== "https")) return undefined
  return { scheme, name, port }
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
  const none = (): StatusError =>
    serviceUnavailable(`no endpoints available for service ${JSON.stringify(parsed.name)}`)
  if (/^[+-]?\d+$/.test(portName)) {
    const found = registry.get(service, { namespace, name: parsed.name })
    if (!found) throw notFound({ group: "", resource: "services" }, parsed.name)
    const port = found.spec.ports?.find((one) => one.port === Number(portName))
    if (!port)
      throw serviceUnavailable(
        `no service port ${Number(portName)} found for service ${JSON.stringify(parsed.name)}`,
      )
    portName = port.name ?? ""
  }
  const candidates: { host: string; port: number }[] = []
  for (const slice of registry.list(endpointSlice, namespace)) {
    if (slice.metadata.labels?.["kubernetes.io/service-name"] !== parsed.name) continue
    const port = slice.ports?.find((one) => (one.name ?? "") === portName)?.port
    if (port === undefined) continue
    for (const endpoint of slice.endpoints ?? [])
      if (endpoint.conditions?.ready !== false && isPods(registry, namespace, endpoint))
        candidates.push({ host: endpoint.addresses[0]!, port })
  }
  if (candidates.length === 0) throw none()
  const chosen = candidates[randomInt(env.random, candidates.length)]!
  return { kubelet: false, tls, host: destinations.requireProxyable(chosen.host), port: chosen.port }
}

/** Nobody is led anywhere by endpoints that somebody wrote: only to what is a pod's of the same namespace. */
function isPods(registry: Registry, namespace: string, { targetRef, addresses }: Endpoint): boolean {
  if (!targetRef?.name || targetRef.namespace !== namespace) return false
  const found = registry.get(pod, { namespace, name: targetRef.name })
  return found?.status?.podIPs?.some(({ ip }) => ip === addresses[0]) ?? false
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
    const asked = cleanPath(info.rest)
    const path = escapePath(asked === "" ? "/" : asked)
    const base = proxyBase(info)
    const rewrite = createRewrite(target, exchange.header("host") || exchange.header(":authority"), base)
    const headers: OutgoingHttpHeaders = forwardedHeaders(exchange)
    headers["x-forwarded-uri"] = base + path
    const { upgrade } = exchange
    const to = path + exchange.search
    if (upgrade) {
      headers["connection"] = "Upgrade"
      headers["upgrade"] = exchange.header("upgrade")
      const request = openRequest(kubelet, target, exchange.method, to, headers, true)
      const answer = await awaitUpgrade(request, failure, signal)
      if ("socket" in answer) return splice(upgrade, answer, signal)
      const status = answer.response.statusCode ?? 0
      if (status >= 400) return passOn(exchange, answer.response, rewrite, signal)
      answer.response.destroy()
      throw internalError(`invalid upgrade response: status code ${status}`)
    }
    const reading = exchange.method === "GET" || exchange.method === "HEAD"
    if (asked === "" && reading) {
      exchange.setHeader("Location", `${exchange.path}/${exchange.search}`)
      return exchange.respond(301, "", "")
    }
    const bodiless = !hasBody(exchange)
    const response = await sendRequest(
      () => openRequest(kubelet, target, exchange.method, to, headers),
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

/** What is before the path that is asked for. */
function proxyBase({ inNamespace, namespace, resource, name }: RequestInfo): string {
  return `/api/v1${inNamespace ? `/namespaces/${namespace}` : ""}/${resource}/${name}/proxy`
}

/** Sends an answer on as it comes. Throws a StatusError, before anything is sent, when the client cannot be given it. */
async function passOn(
  exchange: ServerExchange,
  response: IncomingMessage,
  rewrite: (link: string) => string,
  signal: AbortSignal,
): Promise<void> {
  const { "content-type": type = "", ...answered } = endToEnd(response.headers)
  const isPage = /^\s*text\/html\s*(;|$)/.test(String(type)) && answered["location"] === undefined
  const coding = isPage ? pageCoding(answered["content-encoding"]) : undefined
  // HTTP/2 clients take a 204 with a length for an error.
  if (coding || response.statusCode === 204) delete answered["content-length"]
  const headers: HeaderLine[] = []
  for (const name in answered)
    if (!crossOrigin.test(name))
      for (const value of [answered[name]!].flat())
        headers.push([name, name === "location" ? rewrite(value) : value])
  let out: ResponseStream
  try {
    out = exchange.stream(response.statusCode ?? 0, String(type), headers)
  } catch (thrown) {
    response.destroy()
    throw failure(asError(thrown))
  }
  const body = coding
    ? pipeline([response, ...coding.decode(), createLinkRewriter(rewrite), ...coding.encode()], () => {})
    : response
  await copyBody(body as unknown as AsyncIterable<unknown>, out, signal)
  response.destroy()
}
