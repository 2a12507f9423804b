/**
 * The kubelet's HTTPS API, which the API server and metrics collectors call. What the answers say comes from the
 * other parts of the kubelet through {@link KubeletServerDeps}.
 * Mirrors: pkg/kubelet/server/server.go
 */
import { once } from "node:events"
import { createServer, type Server } from "node:https"
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { constants } from "node:crypto"
import type { TLSSocket } from "node:tls"
import { Scope, destroySoon, messageOf, type Env } from "@knarr/base"
import type { ContainerRuntime } from "../runtime/container-runtime.ts"
import { isRuntimeNotFound } from "../runtime/container-runtime.ts"
import { accessOf, certificateUser, type KubeletAccess, type KubeletUser } from "./authorization.ts"
import { readContainerLog, type ContainerLogSource } from "./container-logs.ts"
import { healthAnswer, type HealthCheck } from "./healthz.ts"
import { HttpError } from "./http-error.ts"
import { parseLogQuery } from "./log-query.ts"
import { serveNodeLogs } from "./node-logs.ts"
import { attachUrl, execUrl, portForwardUrl, openStream, requireUpgrade, splice } from "./streaming.ts"

/** Names a pod, and with it perhaps the one instance of it that is meant. */
export interface PodReference {
  readonly namespace: string
  readonly name: string
  readonly uid?: string
}

export interface KubeletTls {
  readonly key: string
  readonly cert: string
  /** The CA that signs the certificates of clients. */
  readonly clientCA: string
}

/** What the server asks of the rest of the kubelet. Failures are {@link HttpError}s. */
export interface KubeletServerDeps {
  readonly env: Env
  readonly runtime: ContainerRuntime
  /** Whose token it is; undefined when nobody's. Without this function only certificates are accepted. */
  authenticateToken?(token: string, signal: AbortSignal): Promise<KubeletUser | undefined>
  /** Whether one of the access's subresources is allowed. */
  authorize(access: KubeletAccess, signal: AbortSignal): Promise<boolean>
  /** The PodList of the pods bound to this node, and that of what the runtime runs. */
  pods(): unknown
  runningPods(signal: AbortSignal): Promise<unknown>
  /** The runtime's id of a running container. Throws 404 when there is no such pod or container. */
  containerId(pod: PodReference, container: string, signal: AbortSignal): Promise<string>
  /** The runtime's id of the pod's sandbox. Throws 404 when there is no such pod. */
  sandboxId(pod: PodReference, signal: AbortSignal): Promise<string>
  /** Where the container's log is. Throws 404 for an unknown pod or container, 400 when there is no log yet. */
  logSource(
    pod: PodReference,
    container: string,
    previous: boolean,
    signal: AbortSignal,
  ): Promise<ContainerLogSource>
  statsSummary(onlyCpuAndMemory: boolean, signal: AbortSignal): Promise<unknown>
  /** In the Prometheus text format: of the kubelet, of resources, of probes, of containers. */
  metrics(signal: AbortSignal): Promise<string>
  resourceMetrics(signal: AbortSignal): Promise<string>
  probeMetrics(signal: AbortSignal): Promise<string>
  containerMetrics(signal: AbortSignal): Promise<string>
  readonly healthChecks: readonly HealthCheck[]
  /** The effective configuration, under its API's name. */
  configz(): unknown
  /** The folder behind `/logs/`; without it the path is not served. */
  readonly nodeLogDir?: string
}

export interface KubeletServer extends AsyncDisposable {
  readonly port: number
  /** New connections get this certificate from now on. */
  setTls(tls: KubeletTls): void
  /** Ends every connection. Idempotent. */
  close(): Promise<void>
}

/** Listens on `port` (0: any that is free). */
export async function startKubeletServer(
  deps: KubeletServerDeps,
  options: { readonly tls: KubeletTls; readonly port: number; readonly address?: string },
): Promise<KubeletServer> {
  const scope = new Scope("kubelet-server", { env: deps.env })
  const api = new Api(deps, scope)
  const server: Server = createServer({
    ...tlsOptions(options.tls),
    requestCert: true,
    rejectUnauthorized: false,
    keepAliveTimeout: 120_000,
    handshakeTimeout: 10_000,
    // While a body is awaited, node:http would hand over something that is no socket.
    shouldUpgradeCallback: (request) => !announcesBody(request),
  })
  server.requestTimeout = 0
  server.on("request", (request, response) => api.request(request, response))
  server.on("upgrade", (request, socket, head) => api.upgrade(request, socket, head))
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(options.port, options.address, () => {
      server.off("error", reject)
      server.on("error", (error) => deps.env.log.error("The kubelet's server failed", error))
      resolve()
    })
  })
  scope.defer(async () => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return {
    port: (server.address() as AddressInfo).port,
    setTls: (tls) => server.setSecureContext(tlsOptions(tls)),
    close: () => scope.close(),
    [Symbol.asyncDispose]: () => scope.close(),
  }
}

function tlsOptions({ key, cert, clientCA }: KubeletTls): object {
  return {
    key,
    cert,
    ca: clientCA,
    minVersion: "TLSv1.2",
    // A resumed session would not carry the client's certificate chain.
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

class Api {
  readonly #deps: KubeletServerDeps
  readonly #scope: Scope

  constructor(deps: KubeletServerDeps, scope: Scope) {
    this.#deps = deps
    this.#scope = scope
  }

  request(request: IncomingMessage, response: ServerResponse): void {
    this.#run(request, response, async (signal) => {
      try {
        const url = await this.#admit(request, signal)
        await this.#serve(request, response, url, signal)
      } catch (thrown) {
        if (response.headersSent || signal.aborted) {
          response.destroy()
          return
        }
        const { status, message } = this.#failure(request, thrown)
        send(response, status, "text/plain; charset=utf-8", `${message}\n`)
      }
    })
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy())
    // A client may say that it is done and still listen.
    socket.allowHalfOpen = true
    this.#run(request, socket, async (signal) => {
      try {
        const url = await this.#admit(request, signal)
        const target = await this.#streamUrl(request, url, signal)
        await splice(socket, head, await openStream(request, target, signal), signal)
      } catch (thrown) {
        if (signal.aborted) return void socket.destroy()
        const { status, message } = this.#failure(request, thrown)
        const body = `${message}\n`
        socket.end(
          `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
            `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
        )
        // A client that never closes its half must not hold the descriptor.
        destroySoon(socket)
      }
    })
  }

  /** Runs `fn` until it ends, the connection closes or the server does. */
  #run(
    request: IncomingMessage,
    connection: Duplex | ServerResponse,
    fn: (signal: AbortSignal) => Promise<void>,
  ): void {
    const scope = this.#scope.child(`${request.method} request`, { contained: true })
    connection.once("close", () => void scope.close().catch(() => {}))
    scope.run("handler", fn)
  }

  /** The request's URL, when its sender may have what it asks for. */
  async #admit(request: IncomingMessage, signal: AbortSignal): Promise<URL> {
    const url = urlOf(request)
    const user = await this.#authenticate(request, signal)
    if (!user) throw new HttpError(401, "Unauthorized")
    const access = accessOf(user, request.method ?? "GET", url.pathname)
    if (await this.#deps.authorize(access, signal)) return url
    const { verb, subresources } = access
    throw new HttpError(
      403,
      `Forbidden (user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(" ")}])`,
    )
  }

  async #authenticate(request: IncomingMessage, signal: AbortSignal): Promise<KubeletUser | undefined> {
    const user = certificateUser(request.socket as TLSSocket)
    if (user) return user
    const match = /^bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")
    return match ? this.#deps.authenticateToken?.(match[1]!, signal) : undefined
  }

  #failure(request: IncomingMessage, thrown: unknown): { status: number; message: string } {
    if (thrown instanceof HttpError) return thrown
    if (!isRuntimeNotFound(thrown)) this.#deps.env.log.error("Request failed", thrown, { path: request.url })
    return { status: 500, message: messageOf(thrown) }
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    signal: AbortSignal,
  ): Promise<void> {
    const deps = this.#deps
    const [first = "", ...rest] = url.pathname.slice(1).split("/").map(decodeURIComponent)
    const text = (body: string): void => send(response, 200, "text/plain; version=0.0.4; charset=utf-8", body)
    const json = (value: unknown): void => send(response, 200, "application/json", JSON.stringify(value))
    if (streams.has(first)) {
      this.#podOf(first, rest)
      requireUpgrade(request)
      throw new HttpError(400, "unable to upgrade: the request has a body")
    }
    if (first === "run" && request.method === "POST") return this.#runCommand(response, rest, url, signal)
    if (request.method !== "GET" && request.method !== "HEAD")
      throw new HttpError(405, "405: Method Not Allowed")
    switch ([first, ...rest].join("/").replace(/\/$/, "")) {
      case "pods":
        return json(deps.pods())
      case "runningpods":
        return json(await deps.runningPods(signal))
      case "stats/summary":
        return json(await deps.statsSummary(url.searchParams.get("only_cpu_and_memory") === "true", signal))
      case "metrics":
        return text(await deps.metrics(signal))
      case "metrics/resource":
        return text(await deps.resourceMetrics(signal))
      case "metrics/probes":
        return text(await deps.probeMetrics(signal))
      case "metrics/cadvisor":
        return text(await deps.containerMetrics(signal))
      case "configz":
        return json(deps.configz())
    }
    if (first === "healthz") return this.#healthz(response, rest, url)
    if (first === "containerLogs") return this.#containerLogs(response, rest, url, signal)
    if (first === "logs" && deps.nodeLogDir !== undefined)
      return serveNodeLogs(response, deps.nodeLogDir, url.pathname, signal)
    throw new HttpError(404, "404 page not found")
  }

  #healthz(response: ServerResponse, rest: readonly string[], url: URL): void {
    const answer = healthAnswer(this.#deps.healthChecks, rest[0], url.searchParams.has("verbose"))
    if (!answer) throw new HttpError(404, "404 page not found")
    send(response, answer.status, "text/plain; charset=utf-8", answer.text)
  }

  async #containerLogs(
    response: ServerResponse,
    rest: readonly string[],
    url: URL,
    signal: AbortSignal,
  ): Promise<void> {
    const { pod, container } = this.#podOf("containerLogs", rest)
    const query = parseLogQuery(url.searchParams, this.#deps.env.clock.now())
    const source = await this.#deps.logSource(pod, container, query.previous, signal)
    const chunks = readContainerLog(source, query, signal)
    const next = async (): Promise<IteratorResult<Buffer>> => {
      try {
        return await chunks.next()
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown
        throw new HttpError(
          400,
          `failed to try resolving symlinks in path "${source.path}": lstat ${source.path}: no such file or directory`,
        )
      }
    }
    const begin = (): unknown => response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" })
    if (query.follow) {
      begin()
      response.flushHeaders()
    }
    try {
      for (let item = await next(); !item.done; item = await next()) {
        if (!response.headersSent) begin()
        if (response.write(item.value)) continue
        await once(response, "drain", { signal })
      }
    } finally {
      // A client that is gone while it is waited for leaves the file open otherwise.
      await chunks.return(undefined)
    }
    if (!response.headersSent) begin()
    response.end()
  }

  async #runCommand(
    response: ServerResponse,
    rest: readonly string[],
    url: URL,
    signal: AbortSignal,
  ): Promise<void> {
    const { pod, container } = this.#podOf("run", rest)
    const containerId = await this.#deps.containerId(pod, container, signal)
    const cmd = (url.searchParams.get("cmd") ?? "").split(" ")
    const { stdout, stderr, exitCode } = await this.#deps.runtime.execSync({ containerId, cmd }, { signal })
    const output = Buffer.concat([stdout, stderr])
    if (exitCode !== 0)
      throw new HttpError(500, `command '${cmd.join(" ")}' exited with ${exitCode}: ${output.toString()}`)
    response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" }).end(output)
  }

  async #streamUrl(request: IncomingMessage, url: URL, signal: AbortSignal): Promise<string> {
    const { runtime } = this.#deps
    const [first = "", ...rest] = url.pathname.slice(1).split("/").map(decodeURIComponent)
    if (!streams.has(first)) throw new HttpError(404, "404 page not found")
    if (request.method !== "GET" && request.method !== "POST")
      throw new HttpError(405, "405: Method Not Allowed")
    const { pod, container } = this.#podOf(first, rest)
    requireUpgrade(request)
    if (first === "portForward") {
      const sandboxId = await this.#deps.sandboxId(pod, signal)
      return portForwardUrl(runtime, sandboxId, request, url.searchParams, signal)
    }
    const containerId = await this.#deps.containerId(pod, container, signal)
    const find = first === "exec" ? execUrl : attachUrl
    return find(runtime, containerId, url.searchParams, signal)
  }

  /** `ns/pod[/uid]/container`, or `ns/pod[/uid]` for port-forward. */
  #podOf(route: string, rest: readonly string[]): { pod: PodReference; container: string } {
    const named = route === "portForward" ? [...rest, ""] : rest
    const withUid = named.length === 4 && route !== "containerLogs"
    const [namespace, name] = named
    const container = named.at(-1)
    if ((named.length !== 3 && !withUid) || !namespace || !name || container === undefined)
      throw new HttpError(404, "404 page not found")
    if (container === "" && route !== "portForward") throw new HttpError(404, "404 page not found")
    return { pod: { namespace, name, ...(withUid ? { uid: named[2]! } : {}) }, container }
  }
}

/** Whether bytes of the request itself follow its head. */
function announcesBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0
}

/** Throws 400 for what is no URL, or has a path that cannot be decoded. */
function urlOf(request: IncomingMessage): URL {
  try {
    const url = new URL(request.url ?? "/", "https://kubelet")
    decodeURIComponent(url.pathname)
    return url
  } catch {
    throw new HttpError(400, "400 Bad Request")
  }
}

const streams: ReadonlySet<string> = new Set(["exec", "attach", "portForward"])

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) }).end(body)
}
