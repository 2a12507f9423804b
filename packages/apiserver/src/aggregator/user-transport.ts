/** The way of parts of this process to aggregated servers: as a user who is authorised first, without the port. */
import { asError } from "@knarr/base"
import { serviceUnavailable } from "@knarr/apimachinery"
import type { HttpRequest, Transport } from "@knarr/client"
import { RequestAttributes } from "../authz/attributes.ts"
import { forbiddenError } from "../authz/forbidden.ts"
import type { Authorizer, RequestInfo, UserInfo } from "../contract.ts"
import { dialText } from "../outbound/dial-text.ts"
import { parseRequestInfo } from "../server/request-info.ts"
import type { RemoteService } from "./remote-service.ts"
import type { RemoteTransports } from "./remote-transports.ts"
import { userHeaders } from "./user-headers.ts"

export interface UserTransportOptions {
  readonly user: UserInfo
  readonly authorizer: Authorizer
  readonly transports: RemoteTransports
  serviceOf(info: RequestInfo): RemoteService | undefined
}

/** Rejects with StatusErrors for what the port would refuse. It has no connections of its own. */
export function userTransport(options: UserTransportOptions): Transport {
  const { user, authorizer, transports } = options
  const open = async (request: HttpRequest): Promise<{ transport: Transport; sent: HttpRequest }> => {
    const [path = "", search = ""] = request.path.split("?", 2)
    const query = new URLSearchParams(search)
    const info = parseRequestInfo(request.method, path, query)
    const attributes = new RequestAttributes(info, { query })
    const { signal } = request
    const { verdict, reason, error } = await authorizer.authorize(user, attributes, { signal })
    if (verdict !== "allow") throw error ?? forbiddenError(user, attributes, reason)
    const remote = options.serviceOf(info)
    if (!remote?.isAvailable) throw serviceUnavailable("service unavailable")
    const headers = { ...request.headers, ...userHeaders(user) }
    return { transport: transports.to(remote).transport, sent: { ...request, headers } }
  }
  const reach = async <R>(
    request: HttpRequest,
    fn: (transport: Transport, sent: HttpRequest) => Promise<R>,
  ) => {
    const { transport, sent } = await open(request)
    try {
      return await fn(transport, sent)
    } catch (thrown) {
      request.signal?.throwIfAborted()
      throw serviceUnavailable(`error trying to reach service: ${dialText(asError(thrown))}`)
    }
  }
  return {
    server: "https://aggregated.invalid",
    request: (request) => reach(request, (transport, sent) => transport.request(sent)),
    webSocket: (request, protocols) =>
      reach(request, (transport, sent) => transport.webSocket(sent, protocols)),
    [Symbol.dispose]() {},
  }
}
