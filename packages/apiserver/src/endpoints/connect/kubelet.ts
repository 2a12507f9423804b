/** How to reach a node's kubelet, and one request or upgrade to it. Mirrors: pkg/kubelet/client */
import { Agent, request as httpsRequest } from "node:https"
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http"
import type { Duplex } from "node:stream"
import { node } from "@knarr/api"
import {
  badRequest,
  genericServerResponse,
  internalError,
  notFound,
  serviceUnavailable,
  statusErrorFrom,
  type StatusError,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { Registry } from "../../registry/registry.ts"

export interface KubeletOptions {
  /** PEM: who the server is to kubelets. */
  readonly clientCert: string
  readonly clientKey: string
  /** PEM of the authority of kubelets' certificates; without it they are not verified, as upstream's default. */
  readonly ca?: string | undefined
  /** In order of preference; default: InternalIP, Hostname, ExternalIP and the DNS names. */
  readonly addressTypes?: readonly string[] | undefined
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
const defaultTypes = ["InternalIP", "Hostname", "InternalDNS", "ExternalDNS", "ExternalIP"]

export class KubeletClient {
  readonly #options: KubeletOptions | undefined
  readonly #registry: Registry
  readonly #agent: Agent | undefined

  constructor(registry: Registry, options: KubeletOptions | undefined) {
    this.#registry = registry
    this.#options = options
    if (options)
      this.#agent = new Agent({
        keepAlive: true,
        maxFreeSockets: 64,
        cert: options.clientCert,
        key: options.clientKey,
        rejectUnauthorized: options.ca !== undefined,
        ...(options.ca === undefined ? {} : { ca: options.ca }),
      })
  }

  close(): void {
    this.#agent?.destroy()
  }

  /** Throws a StatusError when the node is not there or has no address. */
  locate(name: string): Location {
    const found = this.#registry.get(node, { name })
    if (!found) throw notFound({ group: "", resource: "nodes" }, name)
    const addresses = found.status?.addresses ?? []
    for (const type of this.#options?.addressTypes ?? defaultTypes) {
      const address = addresses.find((a) => a.type === type)
      if (address)
        return {
          host: address.address,
          port: found.status?.daemonEndpoints?.kubeletEndpoint?.Port || defaultPort,
        }
    }
    const known = addresses.map((a) => a.address).join(" ")
    throw plainError(`no preferred addresses found; known addresses: [${known}]`)
  }

  /** Begins a request; the caller ends it. */
  request(at: Location, method: string, path: string, headers: OutgoingHttpHeaders): ClientRequest {
    if (!this.#agent) throw serviceUnavailable("this server has no credentials for kubelets")
    return httpsRequest({ agent: this.#agent, host: at.host, port: at.port, method, path, headers })
  }

  /** The answer to a request without a body. Rejects with a 503 StatusError when the kubelet cannot be reached. */
  get(at: Location, path: string, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = this.request(at, "GET", path, {})
      const abort = (): void => void request.destroy(new Error("the client is gone"))
      signal.addEventListener("abort", abort, { once: true })
      request.on("close", () => signal.removeEventListener("abort", abort))
      request.on("response", resolve)
      request.on("error", (error) => reject(unreachable(path, at, error)))
      request.end()
    })
  }

  /** A connection that has changed its protocol. Rejects with a StatusError when the kubelet says no. */
  upgrade(
    at: Location,
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
  ): Promise<UpgradedConnection> {
    return awaitUpgrade(this.request(at, method, path, headers), (error) => unreachable(path, at, error))
  }
}

/** The connection that a request with an `Upgrade` header becomes. */
export function awaitUpgrade(
  request: ClientRequest,
  failure: (error: Error) => StatusError,
): Promise<UpgradedConnection> {
  return new Promise((resolve, reject) => {
    request.on("upgrade", (response, socket, head) => {
      socket.on("error", () => {})
      resolve({ response, socket, head })
    })
    request.on("response", (response) => {
      readText(response).then(
        (text) => reject(answerError(response.statusCode ?? 500, text, "", "")),
        (error: Error) => reject(failure(error)),
      )
    })
    request.on("error", (error) => reject(failure(error)))
    request.end()
  })
}

function unreachable(path: string, at: Location, error: Error): StatusError {
  const host = at.host.includes(":") ? `[${at.host}]` : at.host
  return internalError(`Get "https://${host}:${at.port}${path}": ${dialText(error)}`)
}

/** A 500 whose message stands alone, as upstream answers errors that have no reason. */
function plainError(message: string): StatusError {
  return statusErrorFrom({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    code: 500,
  })
}

/** Node's connection errors in Go's words. */
export function dialText(error: Error): string {
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  const to = `dial tcp ${address ?? ""}:${port ?? ""}`
  switch (code) {
    case "ECONNREFUSED":
      return `${to}: connect: connection refused`
    case "EHOSTUNREACH":
      return `${to}: connect: no route to host`
    case "ETIMEDOUT":
      return `${to}: i/o timeout`
    default:
      return messageOf(error)
  }
}

const maxErrorBytes = 50_000

async function readText(response: IncomingMessage): Promise<string> {
  let text = ""
  response.setEncoding("utf8")
  for await (const chunk of response) {
    text += chunk as string
    if (text.length > maxErrorBytes) break
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
