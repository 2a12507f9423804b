/**
 * `pods/proxy`, `services/proxy` and `nodes/proxy`: any HTTP request, passed on to what the name points at.
 * Mirrors: pkg/registry/core/{pod,service,node}/rest, apimachinery pkg/util/proxy
 */
import type { Readable } from "node:stream"
import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type OutgoingHttpHeaders,
} from "node:http"
import { Agent as HttpsAgent, request as httpsRequest } from "node:https"
import { endpointSlice, service } from "@knarr/api"
import { badRequest, serviceUnavailable } from "@knarr/apimachinery"
import { randomInt, type Env } from "@knarr/base"
import { createLinkRewriter } from "./html-links.ts"
import type { RequestInfo } from "../../contract.ts"
import type { Handler } from "../../server/filters.ts"
import type { ServerExchange } from "../../server/exchange.ts"
import type { Registry } from "../../registry/registry.ts"
import { dialText, type KubeletClient } from "./kubelet.ts"
import { requirePod } from "./pod-target.ts"

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
  switch (info.resource) {
    case "nodes": {
      const at = kubelet.locate(parsed.name)
      if (parsed.port === "" || Number(parsed.port) === at.port) return { kubelet: true, tls: true, ...at }
      return { kubelet: false, tls, host: proxyable(at.host), port: portNumber(parsed.port, info) }
    }
    case "pods": {
      const target = requirePod(registry, info.namespace, parsed.name)
      const host = proxyable(target.status?.podIP ?? "")
      const first = target.spec.containers.flatMap((c) => c.ports ?? [])[0]?.containerPort
      const port = parsed.port === "" ? (first ?? (tls ? 443 : 80)) : portNumber(parsed.port, info)
      return { kubelet: false, tls, host, port }
    }
    default:
      return serviceTarget(env, registry, info, parsed, tls)
  }
}

/** Nobody is led to what listens only on this machine or its link. Mirrors: apiserver pkg/proxy IsProxyableIP */
function proxyable(host: string): string {
  const ip = host.toLowerCase().replace(/^::ffff:(?=\d+\.)/, "")
  const refused =
    ip === "" ||
    ip === "localhost" ||
    /^(127|169\.254|224\.0\.0)\./.test(ip) ||
    /^0*(:0*)*:0*1$/.test(ip) ||
    /^fe[89ab][0-9a-f]:/.test(ip) ||
    /^ff[01]2:/.test(ip)
  if (refused) throw badRequest("address not allowed")
  return host
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
  info: RequestInfo,
  parsed: ProxyName,
  tls: boolean,
): ProxyTarget {
  const { namespace } = info
  let portName = parsed.port
  const found = registry.get(service, { namespace, name: parsed.name })
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
  return { kubelet: false, tls, host: proxyable(chosen.host), port: chosen.port }
}

const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
])

/** The client's headers, without its credentials and what concerns only its own connection. */
export function forwardedHeaders(exchange: ServerExchange, target: ProxyTarget): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = {}
  for (const name in exchange.headers) {
    if (name.startsWith(":") || hopByHop.has(name) || name === "authorization" || name === "host") continue
    if (name.startsWith("impersonate-")) continue
    out[name] = exchange.headers[name]
  }
  const host = target.host.includes(":") ? `[${target.host}]` : target.host
  out["host"] = `${host}:${target.port}`
  const from = exchange.socket?.remoteAddress
  if (from)
    out["x-forwarded-for"] = out["x-forwarded-for"] ? `${String(out["x-forwarded-for"])}, ${from}` : from
  out["x-forwarded-uri"] = exchange.path
  out["x-forwarded-host"] = exchange.header("host") || exchange.header(":authority")
  out["x-forwarded-proto"] = "https"
  return out
}

/** The path at the target: what follows `/proxy`, with the query. */
export function targetPath(info: RequestInfo, search: string): string {
  return `/${info.rest}${search}`
}

/** Begins the request to the target. */
export function openRequest(
  kubelet: KubeletClient,
  target: ProxyTarget,
  method: string,
  path: string,
  headers: OutgoingHttpHeaders,
): ClientRequest {
  const { host, port } = target
  if (target.kubelet) return kubelet.request(target, method, path, headers)
  return target.tls
    ? httpsRequest({ agent: httpsAgent, host, port, method, path, headers })
    : httpRequest({ agent: httpAgent, host, port, method, path, headers })
}

export function proxyHandler(env: Env, registry: Registry, kubelet: KubeletClient): Handler {
  return (exchange, ctx) => {
    const { info } = ctx
    const target = proxyTarget(env, registry, kubelet, info)
    if (
      info.rest === "" &&
      !exchange.path.endsWith("/") &&
      (exchange.method === "GET" || exchange.method === "HEAD")
    ) {
      exchange.setHeader("Location", `${exchange.path}/${exchange.search}`)
      return exchange.respond(301, "", "")
    }
    return new Promise<void>((resolve, reject) => {
      const request = openRequest(
        kubelet,
        target,
        exchange.method,
        targetPath(info, exchange.search),
        forwardedHeaders(exchange, target),
      )
      const abort = (): void => void request.destroy(new Error("the client is gone"))
      ctx.signal.addEventListener("abort", abort, { once: true })
      request.on("close", () => ctx.signal.removeEventListener("abort", abort))
      request.on("error", (error) => {
        reject(
          exchange.answered ? error : serviceUnavailable(`error trying to reach service: ${dialText(error)}`),
        )
      })
      request.on("response", (response) => {
        const prefix = exchange.path.slice(0, exchange.path.length - info.rest.length).replace(/\/$/, "")
        const isPage =
          /^text\/html\b/.test(response.headers["content-type"] ?? "") &&
          !response.headers["content-encoding"]
        for (const name in response.headers) {
          if (hopByHop.has(name) || name === "content-type" || (isPage && name === "content-length")) continue
          for (const value of [response.headers[name]!].flat())
            exchange.setHeader(name, name === "location" ? rewriteLocation(value, target, prefix) : value)
        }
        const out = exchange.stream(response.statusCode ?? 502, response.headers["content-type"] ?? "")
        const body: Readable = isPage
          ? response.pipe(createLinkRewriter((link) => rewriteLocation(link, target, prefix)))
          : response
        body.on("data", (chunk: Buffer) => {
          if (out.write(chunk)) return
          body.pause()
          out.drained(ctx.signal).then(
            () => body.resume(),
            () => response.destroy(),
          )
        })
        body.on("end", () => {
          out.end()
          resolve()
        })
        response.on("error", () => {
          out.abort()
          resolve()
        })
      })
      exchange.bodyStream().pipe(request)
    })
  }
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
