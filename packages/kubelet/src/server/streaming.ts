/**
 * Exec, attach and port-forward: asks the runtime where its stream server waits for this session, and once that has
 * agreed to change its protocol joins the client's connection to it byte for byte. SPDY or WebSocket, with whatever
 * subprotocol, is between those two.
 * Mirrors: pkg/kubelet/server/server.go (getExec, getAttach, getPortForward), remotecommand/httpstream.go
 */
import {
  request as httpRequest,
  STATUS_CODES,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from "node:http"
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
function parseStreamQuery(query: URLSearchParams): StreamOptions {
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

/** A stream server's side of a session: it has agreed to change its protocol. */
export interface RuntimeStream {
  /** The answer's head, for the client. */
  readonly answer: string
  readonly socket: Duplex
  readonly head: Buffer
}

/** The longest refusal that is passed on. */
const maxRefusalBytes = 16 * 1024

/**
 * Asks the stream server at `url` for what the client asks for. Rejects with an {@link HttpError} when it is not there
 * or refuses: nothing of the client's may reach it then, and nothing of it the client.
 */
export function openStream(
  request: IncomingMessage,
  url: string,
  signal: AbortSignal,
): Promise<RuntimeStream> {
  const { hostname, port, pathname, search } = new URL(url)
  return new Promise((resolve, reject) => {
    // A client may say that it is done and still listen: so may its stream.
    const connection = connect({ host: hostname, port: Number(port || 80), allowHalfOpen: true })
    const asked = httpRequest({
      method: request.method,
      path: pathname + search,
      headers: streamHeaders(request),
      // Of no pool: whoever would get the connection next might be another user.
      createConnection: () => connection,
      signal,
    })
    asked.on("upgrade", (response, socket, head) => {
      socket.on("error", () => socket.destroy())
      if (response.statusCode === 101) return resolve({ answer: switchingHead(response), socket, head })
      socket.destroy()
      reject(new HttpError(502, `The container runtime answered an upgrade with ${response.statusCode}`))
    })
    asked.on("response", (response) => {
      asked.removeListener("close", onClose)
      // Its answer may wish to keep the connection, but nobody will use it again.
      void refusalOf(response).then((refusal) => {
        connection.destroy()
        reject(refusal)
      })
    })
    asked.on("error", (cause) => {
      if (signal.aborted) return reject(signal.reason)
      reject(new HttpError(502, `Cannot reach the container runtime: ${cause.message}`, { cause }))
    })
    const onClose = (): void => reject(new HttpError(502, "The container runtime closed the connection"))
    asked.on("close", onClose)
    asked.end()
  })
}

async function refusalOf(response: IncomingMessage): Promise<HttpError> {
  const { statusCode = 0 } = response
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response) {
      chunks.push(chunk as Buffer)
      size += (chunk as Buffer).length
      if (size > maxRefusalBytes) break
    }
  } catch {
    // The status is the answer; a text that breaks off is a shorter one.
  }
  const status = statusCode >= 400 && statusCode <= 599 ? statusCode : 502
  return new HttpError(status, Buffer.concat(chunks).toString("utf8", 0, maxRefusalBytes).trim())
}

/** What the stream server must know of the client's request: nothing that says or proves who the client is. */
function streamHeaders(request: IncomingMessage): OutgoingHttpHeaders {
  const { headers } = request
  const out: OutgoingHttpHeaders = { connection: "Upgrade", upgrade: headers.upgrade }
  for (const name of ["x-stream-protocol-version", "sec-websocket-key", "sec-websocket-version", "origin"])
    if (headers[name] !== undefined) out[name] = headers[name]
  const protocols = (headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== "" && !protocol.startsWith("base64url.bearer."))
  if (protocols.length > 0) out["sec-websocket-protocol"] = protocols.join(", ")
  return out
}

function switchingHead(response: IncomingMessage): string {
  let head = `HTTP/1.1 101 ${response.statusMessage || STATUS_CODES[101]}\r\n`
  for (let i = 0; i < response.rawHeaders.length; i += 2)
    head += `${response.rawHeaders[i]}: ${response.rawHeaders[i + 1]}\r\n`
  return `${head}\r\n`
}

/** Gives the client the stream server's answer and joins the two connections; resolves when both have ended. */
export async function splice(
  client: Duplex,
  clientHead: Buffer,
  stream: RuntimeStream,
  signal: AbortSignal,
): Promise<void> {
  const { socket: server } = stream
  const onAbort = (): void => {
    client.destroy()
    server.destroy()
  }
  if (signal.aborted || client.destroyed) return onAbort()
  signal.addEventListener("abort", onAbort, { once: true })
  for (const socket of [client, server]) if ("setNoDelay" in socket) (socket as Socket).setNoDelay(true)
  client.write(stream.answer)
  if (stream.head.length > 0) client.write(stream.head)
  if (clientHead.length > 0) server.write(clientHead)
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
