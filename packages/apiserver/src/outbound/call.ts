/**
 * Asks programs outside of the server: webhooks of admission, conversion, authentication, authorisation. Their
 * certificate is verified, their answer is bounded in bytes and time, and they lead nobody on: no redirect is followed.
 * Mirrors: apiserver pkg/util/webhook/client.go
 */
import type { IncomingMessage } from "node:http"
import { Agent, request, type RequestOptions } from "node:https"
import { posix } from "node:path"
import { messageOf, withTimeout, type Clock, type Meter } from "@knarr/base"
import type { OutboundAnswer, OutboundCall, OutboundOptions, OutboundTarget } from "../contract.ts"
import { ServerCertificates } from "./server-certificates.ts"
import type { ServiceResolver } from "./service-resolver.ts"

export interface OutboundDeps {
  readonly clock: Clock
  readonly meter: Meter
  readonly resolve: ServiceResolver
}

const defaultMaxBytes = 3 * 1024 * 1024
/** Connections that are kept for the next call, to each program; and calls that are under way there. */
const keptConnections = 8
const callsAtOnce = 256

export interface Outbound extends Disposable {
  readonly call: OutboundCall
}

/** A caller with connections of its own, which end with it. */
export function createOutbound({ clock, meter, resolve }: OutboundDeps): Outbound {
  const certificates = new ServerCertificates(meter)
  const agent = new Agent({
    ...{ keepAlive: true, maxFreeSockets: keptConnections, maxSockets: callsAtOnce },
    // Given with a request, it would have a connection of its own each time.
    checkServerIdentity: certificates.check,
  })
  return {
    async call(target, body, options, signal) {
      const where = destinationOf(target, resolve)
      const what = `Post "${where.url}"`
      using _held = clock.hold(options.timeoutMs)
      return await withTimeout(clock, options.timeoutMs, what, signal, (limit) =>
        post({ ...where.request, agent }, body, options, limit).catch((thrown: unknown) => {
          limit.throwIfAborted()
          certificates.failed(thrown as Error)
          throw new Error(`${what}: ${messageOf(thrown)}`, { cause: thrown })
        }),
      )
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

type Where = Omit<RequestOptions, "headers"> & { readonly headers?: Readonly<Record<string, string>> }

interface Destination {
  /** As it is told in messages. */
  readonly url: string
  readonly request: Where
}

function destinationOf(target: OutboundTarget, resolve: ServiceResolver): Destination {
  if ("url" in target) {
    const url = new URL(target.url)
    if (url.protocol !== "https:")
      throw new Error(`Cannot call ${JSON.stringify(target.url)}: it is not HTTPS`)
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
    const path = cleanPath(url.pathname) + url.search
    return { url: url.origin + path, request: { host, port: Number(url.port || 443), path } }
  }
  const { namespace, name, port = 443, path = "" } = target.service
  const serverName = `${name}.${namespace}.svc`
  const [before = "", ...query] = path.split("?")
  const rooted = [cleanPath(before), ...query].join("?")
  const { host, port: at } = resolve(namespace, name, port)
  return {
    url: `https://${serverName}:${port}${rooted}`,
    request: {
      host,
      port: at,
      path: rooted,
      servername: serverName,
      headers: { host: `${serverName}:${port}` },
    },
  }
}

/** As Go's client joins paths: `//a/./b/` is `/a/b`. Mirrors: client-go rest/request.go NewRequest */
function cleanPath(path: string): string {
  const joined = posix.join("/", path)
  return joined.length > 1 && joined.endsWith("/") ? joined.slice(0, -1) : joined
}

function post(
  where: Where,
  body: string | Buffer,
  options: OutboundOptions,
  signal: AbortSignal,
): Promise<OutboundAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<OutboundAnswer>()
  const headers = {
    "content-type": "application/json",
    accept: "application/json",
    "content-length": Buffer.byteLength(body),
    ...where.headers,
    ...options.headers,
  }
  const sent = request({
    ...where,
    ...options.client,
    method: "POST",
    headers,
    signal,
    // A certificate of the bundle is trusted as it is, as Go does; it need not be an authority.
    ...(options.caBundle === undefined ? {} : { ca: options.caBundle, allowPartialTrustChain: true }),
  })
  let answered = false
  sent.on("error", (error) => {
    // A kept connection that the other side has just closed says nothing about the call.
    if (answered || !sent.reusedSocket || signal.aborted) reject(error)
    else post(where, body, options, signal).then(resolve, reject)
  })
  sent.on("response", (response: IncomingMessage) => {
    answered = true
    const most = options.maxAnswerBytes ?? defaultMaxBytes
    const chunks: Buffer[] = []
    let bytes = 0
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > most) return void response.destroy(new Error(`the answer is longer than ${most} bytes`))
      chunks.push(chunk)
    })
    response.on("error", reject)
    response.on("end", () =>
      resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
    )
  })
  sent.end(body)
  return promise
}
