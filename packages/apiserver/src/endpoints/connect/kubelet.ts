/** How to reach a node's kubelet, and one request or upgrade to it. Mirrors: pkg/kubelet/client */
import { Agent, request as httpsRequest } from "node:https"
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http"
import type { LookupFunction } from "node:net"
import type { ConnectionOptions } from "node:tls"
import type { Duplex } from "node:stream"
import { node } from "@knarr/api"
import {
  badRequest,
  genericServerResponse,
  internalError,
  notFound,
  serviceUnavailable,
  type StatusError,
  unexpectedError,
} from "@knarr/apimachinery"
import { dialText } from "../../outbound/dial-text.ts"
import type { Registry } from "../../registry/registry.ts"
import { AddressNotAllowed, Destinations } from "./proxyable.ts"

export interface KubeletOptions {
  /** PEM: who the server is to kubelets. */
  readonly clientCert: string
  readonly clientKey: string
  /** PEM of the authority of kubelets' certificates; without it they are not verified, as upstream's default. */
  readonly ca?: string | undefined
  /** In order of preference; default: InternalIP, Hostname, ExternalIP and the DNS names. */
  readonly addressTypes?: readonly string[] | undefined
  /** How long one may say nothing before it answers, in milliseconds. Default 30,000. */
  readonly silenceMs?: number | undefined
}

export interface Location {
  readonly host: string
  readonly port: number
}

export interface UpgradedConnection {
  readonly response: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

const defaultPort = 10250
/** How long a kubelet or a back end may take to accept a connection, or say nothing while it answers an upgrade. */
export const silenceMs = 30_000
const defaultTypes = ["InternalIP", "Hostname", "InternalDNS", "ExternalDNS", "ExternalIP"]

export class KubeletClient {
  /** Where kubelets, and others, may be. */
  readonly destinations: Destinations
  readonly #options: KubeletOptions | undefined
  readonly #registry: Registry
  readonly #agent: Agent | undefined
  readonly #tls: ConnectionOptions
  readonly #silenceMs: number

  constructor(
    registry: Registry,
    options: KubeletOptions | undefined,
    destinations: Destinations = new Destinations(),
  ) {
    this.#registry = registry
    this.destinations = destinations
    this.#options = options
    this.#silenceMs = options?.silenceMs ?? silenceMs
    this.#tls = {
      cert: options?.clientCert,
      key: options?.clientKey,
      rejectUnauthorized: options?.ca !== undefined,
      ca: options?.ca,
    }
    if (options) this.#agent = new Agent({ keepAlive: true, maxFreeSockets: 64, ...this.#tls })
  }

  close(): void {
    this.#agent?.destroy()
  }

  /**
   * Throws a StatusError, about `resource`, when the node is not there, and one when it has no address, or one that
   * is not permitted.
   */
  locate(name: string, resource: "nodes" | "pods" = "pods"): Location {
    const found = this.#registry.get(node, { name })
    if (!found) throw notFound({ group: "", resource }, name)
    const addresses = found.status?.addresses ?? []
    for (const type of this.#options?.addressTypes ?? defaultTypes) {
      const address = addresses.find((a) => a.type === type)
      if (address)
        return {
          host: this.destinations.requirePermitted(address.address),
          port: found.status?.daemonEndpoints?.kubeletEndpoint?.Port || defaultPort,
        }
    }
    const known = addresses.map((a) => a.address).join(" ")
    throw unexpectedError(`no preferred addresses found; known addresses: [${known}]`)
  }

  /** Begins a request; the caller ends it. What becomes another protocol has a connection of its own, never a pooled one. */
  request(
    at: Location,
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: { readonly upgrade?: boolean; readonly lookup?: LookupFunction } = {},
  ): ClientRequest {
    if (!this.#agent) throw serviceUnavailable("this server has no credentials for kubelets")
    const { host, port } = at
    const common = {
      host,
      port,
      method,
      path,
      headers,
      lookup: options.lookup ?? this.destinations.permittedLookup,
    }
    return options.upgrade
      ? httpsRequest({ ...common, ...this.#tls, agent: false, timeout: this.#silenceMs })
      : httpsRequest({ ...common, agent: this.#agent })
  }

  /** The answer to a request without a body. Rejects with a StatusError when the kubelet cannot be reached. */
  get(at: Location, path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const open = (): ClientRequest => {
      const request = this.request(at, "GET", path, {})
      // Behind a link that is down a kept connection would be written to for a quarter of an hour. An answer that has
      // begun may be silent: there the connection itself is asked whether it lives.
      request.setTimeout(this.#silenceMs, () => void request.destroy(new Error("i/o timeout")))
      return request.on("response", () => void request.setTimeout(0))
    }
    return sendRequest(open, (request) => void request.end(), {
      safe: true,
      signal,
      failure: (error) => unreachable(path, at, error),
    })
  }

  /** A connection that has changed its protocol. Rejects with a StatusError when the kubelet says no. */
  async upgrade(
    at: Location,
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    signal: AbortSignal,
  ): Promise<UpgradedConnection> {
    const failure = (error: Error): StatusError => unreachable(path, at, error)
    const answer = await awaitUpgrade(
      this.request(at, method, path, headers, { upgrade: true }),
      failure,
      signal,
    )
    if ("socket" in answer) return answer
    const { response } = answer
    try {
      throw answerError(response.statusCode ?? 500, await readText(response), "", "")
    } finally {
      response.destroy()
    }
  }
}

/**
 * Sends a request and waits for its answer. A safe one is sent once more when the other side had closed the kept
 * connection that it went out on. Every way in which the other side may end it rejects with what `failure` makes of it.
 */
export function sendRequest(
  open: () => ClientRequest,
  sendBody: (request: ClientRequest) => void,
  options: {
    readonly safe: boolean
    readonly signal: AbortSignal
    failure(error: Error): StatusError
  },
): Promise<IncomingMessage> {
  const { signal, failure } = options
  return new Promise((resolve, reject) => {
    const attempt = (again: boolean): void => {
      signal.throwIfAborted()
      const request = open()
      const onAbort = (): void => void request.destroy(new Error("the client is gone"))
      signal.addEventListener("abort", onAbort, { once: true })
      request.on("close", () => {
        signal.removeEventListener("abort", onAbort)
        reject(failure(new Error("the connection was closed without an answer")))
      })
      request.on("error", (error: NodeJS.ErrnoException) => {
        if (!again || !request.reusedSocket || error.code !== "ECONNRESET" || signal.aborted)
          return reject(failure(error))
        request.removeAllListeners("close")
        signal.removeEventListener("abort", onAbort)
        try {
          attempt(false)
        } catch (thrown) {
          reject(thrown as Error)
        }
      })
      request.on("upgrade", (response, socket) => {
        socket.on("error", () => {})
        socket.destroy()
        reject(failure(new Error("backend tried to switch protocol, which was not asked for")))
      })
      request.on("response", (response) => {
        // Whoever reads it is told; before that, nobody may be surprised.
        response.on("error", () => {})
        resolve(response)
      })
      sendBody(request)
    }
    attempt(options.safe)
  })
}

/** What the other side answered instead of changing its protocol. */
export interface RefusedUpgrade {
  readonly response: IncomingMessage
}

/** The connection that a request with an `Upgrade` header becomes; only a 101 makes it one. */
export function awaitUpgrade(
  request: ClientRequest,
  failure: (error: Error) => Error,
  signal: AbortSignal,
): Promise<UpgradedConnection | RefusedUpgrade> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => void request.destroy(new Error("the client is gone"))
    if (signal.aborted) onAbort()
    signal.addEventListener("abort", onAbort, { once: true })
    request.on("close", () => {
      signal.removeEventListener("abort", onAbort)
      reject(failure(new Error("the connection was closed without an answer")))
    })
    request.on("timeout", () => request.destroy(new Error("i/o timeout")))
    request.on("upgrade", (response, socket, head) => {
      socket.on("error", () => {})
      socket.setTimeout(0)
      if (response.statusCode === 101 && !signal.aborted) return resolve({ response, socket, head })
      socket.destroy()
      reject(failure(new Error(`invalid upgrade response: status code ${response.statusCode}`)))
    })
    request.on("response", (response) => {
      response.on("error", () => {})
      // Its answer may wish to keep the connection, but nobody will use it again.
      response.on("close", () => request.destroy())
      resolve({ response })
    })
    request.on("error", (error) => reject(failure(error)))
    request.end()
  })
}

function unreachable(path: string, at: Location, error: Error): StatusError {
  if (error instanceof AddressNotAllowed) return badRequest(error.message)
  const host = at.host.includes(":") ? `[${at.host}]` : at.host
  return internalError(`Get "https://${host}:${at.port}${path}": ${dialText(error)}`)
}

const maxErrorBytes = 50_000

/** A refusal's text, as far as it came. */
async function readText(response: IncomingMessage): Promise<string> {
  let text = ""
  response.setEncoding("utf8")
  try {
    for await (const chunk of response) {
      text += chunk as string
      if (text.length > maxErrorBytes) break
    }
  } catch {
    // The status is the answer; a text that breaks off is a shorter one.
  }
  return text
}

/** What a kubelet's refusal means to the client. Mirrors: apiserver pkg/registry/generic/rest/response_checker.go */
export function answerError(status: number, text: string, resource: string, name: string): StatusError {
  if (status === 500) return internalError(text)
  if (status === 400) return badRequest(text)
  return genericServerResponse(status, "", { group: "", resource }, name, text, 0, false)
}

export { readText }
