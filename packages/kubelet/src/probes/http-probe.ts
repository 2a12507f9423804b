/**
 * Whether a GET answers with a good status.
 * Mirrors: pkg/probe/http/http.go, request.go
 */
import type { Clock } from "@knarr/base"
import { request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http"
import { request as httpsRequest } from "node:https"
import type { Socket } from "node:net"
import type { HTTPHeader } from "@knarr/api"
import { withDeadline } from "./deadline.ts"
import { dialError, isRefused, joinHostPort, readError } from "./network-error.ts"
import type { ProbeAnswer } from "./probe-answer.ts"

export interface HttpProbeTarget {
  readonly scheme: "http" | "https"
  readonly host: string
  readonly port: number
  /** May hold a query. */
  readonly path: string
  readonly headers: readonly HTTPHeader[]
}

const maxBodyBytes = 10 * 1024
const maxRedirects = 10
const userAgent = "kube-probe/1.37"

/** The URL of a probe, as events show it. */
function probeUrl({ scheme, host, port, path }: HttpProbeTarget): URL {
  const base = `${scheme}://${joinHostPort(host, port)}`
  return new URL(
    path.startsWith("/") || path === "" || path.startsWith("?") ? base + path : `${base}/${path}`,
  )
}

/** `url` as it was written: the parser would drop a default port. */
function urlText({ scheme, host, port, path }: HttpProbeTarget): string {
  const url = probeUrl({ scheme, host, port, path, headers: [] })
  const tail = path === "" ? "" : url.pathname + url.search
  return `${scheme}://${joinHostPort(host, port)}${tail}`
}

export function httpProbe(
  clock: Clock,
  target: HttpProbeTarget,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const headers = probeHeaders(target.headers)
  return withDeadline<ProbeAnswer>(clock, timeoutMs, signal, (settle) => {
    const attempt = new Attempt(target, headers, settle)
    attempt.send(probeUrl(target), urlText(target))
    return attempt
  })
}

class Attempt {
  readonly #target: HttpProbeTarget
  readonly #headers: Readonly<Record<string, string | string[]>>
  readonly #settle: (answer: ProbeAnswer) => void
  #request: ClientRequest | undefined
  #text = ""
  #address = ""
  #phase: "dialing" | "waiting" | "reading" = "dialing"
  #redirects = 0
  #stopped = false

  constructor(
    target: HttpProbeTarget,
    headers: Readonly<Record<string, string | string[]>>,
    settle: (answer: ProbeAnswer) => void,
  ) {
    this.#target = target
    this.#headers = headers
    this.#settle = settle
  }

  send(url: URL, text: string): void {
    const secure = url.protocol === "https:"
    const host = url.hostname.replace(/^\[|\]$/g, "")
    const port = Number(url.port) || (secure ? 443 : 80)
    this.#text = text
    this.#address = joinHostPort(host, port)
    this.#phase = "dialing"
    const headers: Record<string, string | string[]> = { ...this.#headers }
    headers["Host"] ??= url.host
    const options = {
      host,
      port,
      path: url.pathname + url.search,
      method: "GET",
      agent: false,
      headers,
      setHost: false,
      insecureHTTPParser: false,
    }
    const request = secure
      ? httpsRequest({ ...options, rejectUnauthorized: false, servername: "" })
      : httpRequest(options)
    this.#request = request
    let socket: Socket | undefined
    request.once("socket", (connection) => {
      socket = connection
      connection.once("connect", () => (this.#phase = "waiting"))
    })
    request.once("response", (response) => {
      try {
        this.#response(url, response)
      } catch (error) {
        this.#settle({ result: "failure", output: this.#failure(error as Error, socket) })
      }
    })
    request.once("error", (error) => {
      if (this.#stopped) return
      const refused = this.#phase === "dialing" && isRefused(error)
      this.#settle({ result: "failure", output: this.#failure(error, socket), refused })
    })
    request.end()
  }

  stop(): void {
    this.#stopped = true
    this.#request?.on("error", () => {})
    this.#request?.destroy()
  }

  late(): ProbeAnswer {
    const suffix = "(Client.Timeout exceeded while awaiting headers)"
    const why =
      this.#phase === "dialing" ? `dial tcp ${this.#address}: i/o timeout` : "context deadline exceeded"
    const output =
      this.#phase === "reading"
        ? "context deadline exceeded (Client.Timeout or context cancellation while reading body)"
        : `Get "${this.#text}": ${why} ${suffix}`
    return { result: "failure", output }
  }

  #failure(error: Error, socket: Socket | undefined): string {
    let why: string
    const code = (error as NodeJS.ErrnoException).code ?? ""
    if (this.#phase === "dialing") why = dialError(this.#address, error)
    else if (/wrong version number|packet length too long|record layer failure/i.test(error.message))
      why = "http: server gave HTTP response to HTTPS client"
    else if (code.startsWith("HPE_"))
      why = `net/http: HTTP/1.x transport connection broken: malformed HTTP response`
    else why = readError(socket, this.#address, error)
    return `Get "${this.#text}": ${why}`
  }

  #response(url: URL, response: IncomingMessage): void {
    const status = response.statusCode!
    const location = response.headers.location
    if (isRedirect(status) && location) {
      const next = URL.canParse(location, url) ? new URL(location, url) : undefined
      if (next && next.hostname === probeUrl(this.#target).hostname && /^https?:$/.test(next.protocol)) {
        response.destroy()
        if (++this.#redirects >= maxRedirects) {
          const output = `Get "${location}": stopped after ${maxRedirects} redirects`
          return this.#settle({ result: "failure", output })
        }
        this.#request?.on("error", () => {})
        return this.send(next, next.href)
      }
    }
    this.#phase = "reading"
    const chunks: Buffer[] = []
    let length = 0
    const finish = (): void => {
      const body = Buffer.concat(chunks).subarray(0, maxBodyBytes).toString()
      if (status < 200 || status >= 400)
        this.#settle({ result: "failure", output: `HTTP probe failed with statuscode: ${status}` })
      else if (status >= 300)
        this.#settle({ result: "warning", output: `Probe terminated redirects, Response body: ${body}` })
      else this.#settle({ result: "success", output: body })
    }
    response.on("data", (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length >= maxBodyBytes) finish()
    })
    response.once("end", finish)
    response.once("error", (error) =>
      this.#settle({
        result: "failure",
        output: (error as NodeJS.ErrnoException).code === "ECONNRESET" ? "unexpected EOF" : error.message,
      }),
    )
  }
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status)
}

/** Custom headers, and what a probe says of itself. An empty `Accept` or `User-Agent` leaves the header out. */
export function probeHeaders(custom: readonly HTTPHeader[]): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {}
  const canonical = new Map<string, string>()
  for (const { name, value } of custom) {
    const key = name.toLowerCase()
    const existing = canonical.get(key)
    if (existing === undefined) {
      const written = key === "host" ? "Host" : name
      canonical.set(key, written)
      out[written] = value
    } else if (key !== "host") {
      const before = out[existing]!
      out[existing] = [...(Array.isArray(before) ? before : [before]), value]
    }
  }
  if (!canonical.has("user-agent")) out["User-Agent"] = userAgent
  if (!canonical.has("accept")) out["Accept"] = "*/*"
  if (!canonical.has("connection")) out["Connection"] = "close"
  for (const key of ["user-agent", "accept"]) {
    const written = canonical.get(key)
    if (written !== undefined && out[written] === "") delete out[written]
  }
  return out
}
