/**
 * Exec, attach and port-forward: asks the runtime where its stream server waits for this session, and joins the
 * client's connection to it byte for byte. SPDY or WebSocket, with whatever subprotocol, is between those two.
 * Mirrors: pkg/kubelet/server/server.go (getExec, getAttach, getPortForward), remotecommand/httpstream.go
 */
import type { IncomingMessage } from "node:http"
import { connect, type Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { ContainerRuntime } from "../runtime/container-runtime.ts"
import { HttpError } from "./http-error.ts"

/** The streams that a client asks for. */
export interface StreamOptions {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

/** Mirrors: remotecommand.NewOptions */
export function parseStreamQuery(query: URLSearchParams): StreamOptions {
  const flag = (name: string): boolean => query.get(name) === "1" || query.get(name) === "true"
  const tty = flag("tty")
  const stdin = flag("input")
  const stdout = flag("output")
  // A terminal has one output stream.
  const stderr = flag("error") && !tty
  if (!stdin && !stdout && !stderr)
    throw new HttpError(400, "you must specify at least 1 of stdin, stdout, stderr")
  return { stdin, stdout, stderr, tty }
}

export async function execUrl(
  runtime: ContainerRuntime,
  containerId: string,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<string> {
  const cmd = query.getAll("command")
  return (await runtime.exec({ containerId, cmd, ...parseStreamQuery(query) }, { signal })).url
}

export async function attachUrl(
  runtime: ContainerRuntime,
  containerId: string,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<string> {
  return (await runtime.attach({ containerId, ...parseStreamQuery(query) }, { signal })).url
}

/** A WebSocket client names its ports in the query; a SPDY client names them stream by stream. */
export async function portForwardUrl(
  runtime: ContainerRuntime,
  podSandboxId: string,
  request: IncomingMessage,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<string> {
  const isWebSocket = request.headers.upgrade?.toLowerCase() === "websocket"
  const names = query.getAll("port").flatMap((item) => item.split(","))
  if (isWebSocket && names.length === 0) throw new HttpError(400, 'query parameter "port" is required')
  const port = isWebSocket ? names.map(parsePort) : []
  return (await runtime.portForward({ podSandboxId, port }, { signal })).url
}

function parsePort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(port > 0)) throw new HttpError(400, `unable to parse "${text}" as a port`)
  if (port > 65_535) throw new HttpError(400, `port "${text}" must be > 0 and <= 65535`)
  return port
}

/** Throws what a request that wants no upgrade is told. */
export function requireUpgrade(request: IncomingMessage): void {
  const { connection, upgrade } = request.headers
  const wanted = connection?.toLowerCase().includes("upgrade") ? upgrade?.toLowerCase() : undefined
  if (wanted === "websocket" || wanted === "spdy/3.1") return
  const seen = { Connection: connection ?? "", Upgrade: upgrade ?? "" }
  throw new HttpError(400, `unable to upgrade: missing upgrade headers in request: ${JSON.stringify(seen)}`)
}

/**
 * Sends the client's request on to `url` and joins the two connections; resolves when both have ended. Rejects
 * with an {@link HttpError} when nothing listens at `url`.
 */
export async function splice(
  client: Duplex,
  request: IncomingMessage,
  head: Buffer,
  url: string,
  signal: AbortSignal,
): Promise<void> {
  const target = new URL(url)
  const server = await connectTo(target, signal)
  server.setNoDelay(true)
  if ("setNoDelay" in client) (client as Socket).setNoDelay(true)
  const onAbort = (): void => {
    client.destroy()
    server.destroy()
  }
  signal.addEventListener("abort", onAbort, { once: true })
  server.write(requestHead(request, target))
  if (head.length > 0) server.write(head)
  await new Promise<void>((resolve) => {
    let open = 2
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on("error", () => to.destroy())
      from.once("close", () => {
        // What was received is still delivered; nothing more will be.
        if (!to.writableEnded) to.end()
        if (--open === 0) resolve()
      })
      from.pipe(to)
    }
  })
  signal.removeEventListener("abort", onAbort)
}

function connectTo(target: URL, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const port = Number(target.port || 80)
    const socket = connect({ host: target.hostname, port, allowHalfOpen: true })
    const onAbort = (): void => {
      socket.destroy()
      reject(signal.reason)
    }
    signal.addEventListener("abort", onAbort, { once: true })
    socket.once("error", (cause) => {
      signal.removeEventListener("abort", onAbort)
      reject(new HttpError(502, `Cannot reach the container runtime: ${cause.message}`, { cause }))
    })
    socket.once("connect", () => {
      signal.removeEventListener("abort", onAbort)
      resolve(socket)
    })
  })
}

/** The client's own words, but for whom they are addressed to and what authenticates them. */
function requestHead(request: IncomingMessage, target: URL): string {
  let text = `${request.method} ${target.pathname}${target.search} HTTP/1.1\r\nHost: ${target.host}\r\n`
  const { rawHeaders } = request
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (name === "host" || name === "authorization") continue
    text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  }
  return `${text}\r\n`
}
