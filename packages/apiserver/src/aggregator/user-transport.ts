/** The way of parts of this process to aggregated servers: as a user who is authorised first, without the port. */
import { asError } from "@knarr/base"
import { badRequest, serviceUnavailable } from "@knarr/apimachinery"
import type { HttpRequest, HttpResponse, Transport } from "@knarr/client"
import { RequestAttributes } from "../authz/attributes.ts"
import { forbiddenError } from "../authz/forbidden.ts"
import type { Authorizer, RequestInfo, UserInfo } from "../contract.ts"
import { dialText } from "../outbound/dial-text.ts"
import { parseRequestInfo } from "../server/request-info.ts"
import { hostedResponse, type HostedVersion } from "./hosted.ts"
import type { RemoteService } from "./remote-service.ts"
import type { RemoteTransports } from "./remote-transports.ts"
import { userHeaders } from "./user-headers.ts"

export interface UserTransportOptions {
  readonly user: UserInfo
  readonly authorizer: Authorizer
  readonly transports: RemoteTransports
  serviceOf(info: RequestInfo): RemoteService | undefined
  hostedOf(info: RequestInfo): HostedVersion | undefined
}

/** Rejects with StatusErrors for what the port would refuse. It has no connections of its own. */
export function userTransport(options: UserTransportOptions): Transport {
  const { user, authorizer, transports } = options
  /** What is hosted here is answered at once. */
  const open = async (
    request: HttpRequest,
  ): Promise<{ transport: Transport; sent: HttpRequest } | { hosted: Promise<HttpResponse> }> => {
    const [path = "", search = ""] = request.path.split("?", 2)
    const query = new URLSearchParams(search)
    const info = parseRequestInfo(request.method, path, query)
    const attributes = new RequestAttributes(info, { query })
    const { signal } = request
    const { verdict, reason, error } = await authorizer.authorize(user, attributes, { signal })
    if (verdict !== "allow") throw error ?? forbiddenError(user, attributes, reason)
    const hosted = options.hostedOf(info)
    if (hosted) {
      const { method } = request
      const never = signal ?? new AbortController().signal
      return { hosted: hostedResponse(hosted, info, { query, method, accept: "", signal: never }) }
    }
    const remote = options.serviceOf(info)
    if (!remote?.isAvailable) throw serviceUnavailable("service unavailable")
    const headers = { ...request.headers, ...userHeaders(user) }
    return { transport: transports.to(remote).transport, sent: { ...request, headers } }
  }
  const reach = async <R>(
    request: HttpRequest,
    fn: (transport: Transport, sent: HttpRequest) => Promise<R>,
    local: (answer: Promise<HttpResponse>) => Promise<R>,
  ): Promise<R> => {
    const opened = await open(request)
    if ("hosted" in opened) return local(opened.hosted)
    const { transport, sent } = opened
    try {
      return await fn(transport, sent)
    } catch (thrown) {
      request.signal?.throwIfAborted()
      throw serviceUnavailable(`error trying to reach service: ${dialText(asError(thrown))}`)
    }
  }
  return {
    server: "https://aggregated.invalid",
    request: (request) =>
      reach(
        request,
        (transport, sent) => transport.request(sent),
        (answer) => answer,
      ),
    webSocket: (request, protocols) =>
      reach(
        request,
        (transport, sent) => transport.webSocket(sent, protocols),
        async (answer) => {
          await answer
          throw badRequest("Upgrade request required")
        },
      ),
    [Symbol.dispose]() {},
  }
}
