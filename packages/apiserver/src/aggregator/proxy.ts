/**
 * Requests to groups of other servers: passed on with who asks, and answered with what comes back.
 * Mirrors: kube-aggregator pkg/apiserver/handler_proxy.go, apimachinery pkg/util/proxy/upgradeaware.go
 */
import { request as httpsRequest } from "node:https"
import { asError, TimeoutError, withTimeout, type Clock } from "@knarr/base"
import type { HttpResponse } from "@knarr/client"
import type { RequestContext, ResponseStream, UserInfo } from "../contract.ts"
import { copyBody, crossOrigin, forwardedHeaders, hasBody } from "../endpoints/connect/forward.ts"
import { endToEnd } from "../endpoints/connect/headers.ts"
import { awaitUpgrade, readText, silenceMs } from "../endpoints/connect/kubelet.ts"
import { splice } from "../endpoints/connect/upgrade.ts"
import { dialText } from "../outbound/dial-text.ts"
import type { HeaderLine, ServerExchange, Upgrade } from "../server/exchange.ts"
import { respondText } from "../server/respond.ts"
import type { RemoteService } from "./remote-service.ts"
import type { Destination, RemoteTransports } from "./remote-transports.ts"
import { userHeaders } from "./user-headers.ts"

/** How long what every client asks for at its start may take. */
const discoveryLimitMs = 5000
/** Said by this server for its own part of the answer. */
const ownHeaders: ReadonlySet<string> = new Set(["audit-id", "cache-control"])
const redirected = "the backend attempted to redirect this request, which is not permitted"

export interface AggregatedProxyOptions {
  readonly clock: Clock
  readonly transports: RemoteTransports
}

/** Answers a request by what the service says; what keeps it from that is said in upstream's words, as text. */
export async function proxyTo(
  remote: RemoteService,
  exchange: ServerExchange,
  ctx: RequestContext,
  { clock, transports }: AggregatedProxyOptions,
): Promise<void> {
  const unavailable = (text: string): void => respondText(exchange, 503, `${text}\n`)
  if (!remote.isAvailable) return unavailable("service unavailable")
  let at: Destination
  try {
    at = transports.to(remote)
  } catch {
    return unavailable("service unavailable")
  }
  const headers = headersFor(ctx.user, exchange, at)
  const { upgrade } = exchange
  if (upgrade) return passUpgrade(exchange, upgrade, at, headers, ctx.signal)
  const send = (signal: AbortSignal): Promise<HttpResponse> =>
    at.transport.request({
      method: exchange.method,
      path: exchange.path + exchange.search,
      headers,
      body: hasBody(exchange) ? exchange.bodyStream() : undefined,
      signal,
    })
  let answer: HttpResponse
  try {
    const isDiscovery = !ctx.info.isResourceRequest
    answer = isDiscovery
      ? await withTimeout(clock, discoveryLimitMs, exchange.path, ctx.signal, send)
      : await send(ctx.signal)
  } catch (thrown) {
    if (ctx.signal.aborted) throw thrown
    const text = thrown instanceof TimeoutError ? "context deadline exceeded" : dialText(asError(thrown))
    return unavailable(`error trying to reach service: ${text}`)
  }
  await passAnswer(exchange, answer, ctx.signal)
}

function headersFor(
  user: UserInfo,
  exchange: ServerExchange,
  { authority }: Destination,
): Record<string, string | string[]> {
  const headers = Object.assign(forwardedHeaders(exchange), userHeaders(user))
  headers["host"] = headers["x-forwarded-host"] = authority
  headers["x-forwarded-proto"] = "https"
  headers["x-forwarded-uri"] = exchange.path
  headers["audit-id"] = exchange.auditId
  return headers
}

async function passAnswer(
  exchange: ServerExchange,
  answer: HttpResponse,
  signal: AbortSignal,
): Promise<void> {
  const { status } = answer
  if (status >= 300 && status <= 399 && answer.headers.location) {
    for await (const _ of answer.body) break
    return exchange.respond(502, "", redirected)
  }
  const { "content-type": type = "", ...headers } = endToEnd(answer.headers)
  const lines: HeaderLine[] = []
  for (const name in headers)
    if (!ownHeaders.has(name) && !crossOrigin.test(name))
      for (const value of [headers[name]!].flat()) lines.push([name, value])
  let out: ResponseStream
  try {
    out = exchange.stream(status, String(type), lines)
  } catch (thrown) {
    return respondText(exchange, 503, `error trying to reach service: ${asError(thrown).message}\n`)
  }
  await copyBody(answer.body, out, signal)
}

/** What becomes another protocol has a connection of its own. */
async function passUpgrade(
  exchange: ServerExchange,
  upgrade: Upgrade,
  { place, tls }: Destination,
  headers: Record<string, string | string[]>,
  signal: AbortSignal,
): Promise<void> {
  headers["connection"] = "Upgrade"
  headers["upgrade"] = exchange.header("upgrade")
  const { method, path, search } = exchange
  const failed = (text: string): void => respondText(exchange, 503, `${text}\n`)
  let answer: Awaited<ReturnType<typeof awaitUpgrade>>
  try {
    const options = {
      ...tls,
      ...place,
      method,
      path: path + search,
      headers,
      agent: false,
      timeout: silenceMs,
    }
    answer = await awaitUpgrade(httpsRequest(options), (error) => error, signal)
  } catch (thrown) {
    return failed(`error dialing backend: ${dialText(asError(thrown))}`)
  }
  if ("socket" in answer) return splice(upgrade, answer, signal)
  const { response } = answer
  const status = response.statusCode ?? 0
  if (status < 400) {
    response.destroy()
    return failed(`invalid upgrade response: status code ${status}`)
  }
  const text = await readText(response)
  response.destroy()
  exchange.respond(status, response.headers["content-type"] ?? "", text)
}
