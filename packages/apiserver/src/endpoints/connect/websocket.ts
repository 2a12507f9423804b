/**
 * WebSocket clients of exec, attach and port-forward. Kubelets speak SPDY: the channels of `v5.channel.k8s.io` and
 * its older relatives become SPDY streams; a port-forward tunnel carries SPDY bytes and is only unwrapped.
 * Mirrors: apimachinery pkg/util/httpstream/wsstream, apiserver pkg/util/proxy/streamtranslator.go, streamtunnel.go
 */
import type { Duplex, Readable } from "node:stream"
import { WebSocketServer, type WebSocket } from "ws"
import { parseJson } from "@knarr/base"
import { badRequest } from "@knarr/apimachinery"
import { SpdyClient } from "@knarr/client"
import type { ServerExchange, Upgrade } from "../../server/exchange.ts"
import type { UpgradedConnection } from "./kubelet.ts"

const protocols = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
  "channel.k8s.io",
  "base64.channel.k8s.io",
] as const
const tunnelProtocol = "SPDY/3.1+portforward.k8s.io"
/** Bytes waiting in a WebSocket before its other side is paused. */
const highWater = 1024 * 1024

const stdin = 0
const stdout = 1
const stderr = 2
const error = 3
const resize = 4
const closeSignal = 255

function offered(upgrade: Upgrade): string[] {
  const header = upgrade.request.headers["sec-websocket-protocol"] ?? ""
  return header
    .split(",")
    .map((p) => p.trim())
    .filter((p) => p !== "")
}

/** The channel protocol to speak; undefined when the client offers none that is known. */
export function channelProtocol(upgrade: Upgrade): string | undefined {
  const asked = offered(upgrade)
  if (asked.length === 0) return ""
  return protocols.find((protocol) => asked.includes(protocol))
}

export function isPortForwardTunnel(upgrade: Upgrade): boolean {
  return offered(upgrade).includes(tunnelProtocol)
}

/**
 * Throws the 400 for a handshake that cannot succeed, before anything is done for it. Asks for at least what the library
 * asks for. Mirrors: golang.org/x/net/websocket hybiServerHandshaker
 */
export function requireHandshake({ request }: Upgrade): void {
  const { headers, method } = request
  const key = headers["sec-websocket-key"]
  if (method !== "GET" || key === undefined || !/^[+/0-9A-Za-z]{22}==$/.test(key))
    throw badRequest("unable to upgrade: missing or bad WebSocket key")
  if (headers["sec-websocket-version"] !== "13")
    throw badRequest("unable to upgrade: missing or bad WebSocket Version")
  const protocols = (headers["sec-websocket-protocol"] ?? "").split(",").map((protocol) => protocol.trim())
  if (headers["sec-websocket-protocol"] === undefined) return
  const seen = new Set(protocols)
  const isToken = (text: string): boolean => /^[!#$%&'*+\-.^_`|~0-9A-Za-z/]+$/.test(text)
  if (seen.size !== protocols.length || !protocols.every(isToken))
    throw badRequest("unable to upgrade: bad WebSocket protocol")
}

/** Takes the client's connection over; the other side's goes with it, whatever becomes of the handshake. */
function accept(
  ws: WebSocketServer,
  upgrade: Upgrade,
  other: { destroy(): unknown } | undefined,
  accepted: (socket: WebSocket) => void,
): void {
  upgrade.detach()
  if (upgrade.socket.destroyed) return void other?.destroy()
  upgrade.socket.once("close", () => other?.destroy())
  ws.handleUpgrade(upgrade.request, upgrade.socket, upgrade.head, accepted)
}

const server = new WebSocketServer({
  noServer: true,
  maxPayload: 32 * 1024 * 1024,
  perMessageDeflate: false,
  handleProtocols: (asked) => protocols.find((protocol) => asked.has(protocol)) ?? false,
})

export interface ChannelOptions {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

/** Accepts the client's WebSocket and joins its channels to streams of the kubelet's SPDY connection. */
export function translate(
  exchange: ServerExchange,
  upgrade: Upgrade,
  kubelet: UpgradedConnection,
  options: ChannelOptions,
  signal: AbortSignal,
): void {
  const accepted = exchange.guard((socket: WebSocket) => {
    new Translation(exchange, socket, kubelet, options, signal)
  })
  accept(server, upgrade, kubelet.socket, accepted)
}

class Translation {
  readonly #socket: WebSocket
  readonly #spdy: SpdyClient
  readonly #base64: boolean
  /** Before version 4 the error channel carries a text, and nothing after success. */
  readonly #plainErrors: boolean
  /** Stream number → channel. */
  readonly #channels = new Map<number, number>()
  readonly #stdin: number | undefined
  readonly #resize: number | undefined
  /** Channels from the kubelet that have not ended. */
  readonly #open = new Set<number>()

  constructor(
    exchange: ServerExchange,
    socket: WebSocket,
    kubelet: UpgradedConnection,
    options: ChannelOptions,
    signal: AbortSignal,
  ) {
    this.#socket = socket
    this.#base64 = socket.protocol.includes("base64")
    this.#plainErrors = !/^v[45]\./.test(socket.protocol)
    socket.binaryType = "nodebuffer"
    const spdy = new SpdyClient(kubelet.socket, kubelet.head, {
      data: exchange.guard((stream: number, chunk: Buffer) => this.#fromKubelet(stream, chunk)),
      ended: exchange.guard((stream: number) => this.#ended(stream)),
      closed: exchange.guard(() => this.#finish()),
    })
    this.#spdy = spdy
    // The kubelet takes them in any order but waits for all.
    const open = (streamType: string, channel: number): number => {
      const id = spdy.open({ streamType })
      this.#channels.set(id, channel)
      return id
    }
    open("error", error)
    this.#open.add(error)
    if (options.stdin) this.#stdin = open("stdin", stdin)
    if (options.stdout) {
      open("stdout", stdout)
      this.#open.add(stdout)
    }
    if (options.stderr && !options.tty) {
      open("stderr", stderr)
      this.#open.add(stderr)
    }
    if (options.tty) this.#resize = open("resize", resize)
    // Tells the client that the connection stands.
    if (options.stdout) this.#send(stdout, Buffer.alloc(0))

    const destroy = (): void => {
      socket.terminate()
      spdy.destroy()
    }
    signal.addEventListener("abort", destroy, { once: true })
    const fromClient = exchange.guard((data: Buffer) => this.#fromClient(data))
    socket.on("message", fromClient)
    socket.on("error", destroy)
    socket.on("close", () => {
      signal.removeEventListener("abort", destroy)
      spdy.destroy()
    })
  }

  #fromClient(message: Buffer): void {
    if (message.length === 0) return
    const channel = this.#base64 ? message[0]! - 48 : message[0]!
    const data = this.#base64 ? Buffer.from(message.toString("latin1", 1), "base64") : message.subarray(1)
    if (channel === closeSignal) {
      if (data[0] === stdin && this.#stdin !== undefined) this.#spdy.end(this.#stdin)
      return
    }
    const stream = channel === stdin ? this.#stdin : channel === resize ? this.#resize : undefined
    if (stream === undefined || data.length === 0) return
    if (!this.#spdy.write(stream, data)) {
      this.#socket.pause()
      this.#spdy.onceDrained(() => this.#socket.resume())
    }
  }

  #fromKubelet(stream: number, chunk: Buffer): void {
    const channel = this.#channels.get(stream)
    if (channel === error && this.#plainErrors) {
      const failure = failureText(chunk)
      if (failure !== undefined) this.#send(error, Buffer.from(failure))
    } else if (channel !== undefined) this.#send(channel, chunk)
  }

  #send(channel: number, chunk: Buffer): void {
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return
    let sent: () => void = () => {}
    if (socket.bufferedAmount > highWater) {
      this.#spdy.pause()
      sent = () => this.#spdy.resume()
    }
    if (this.#base64) socket.send(`${channel}${chunk.toString("base64")}`, { binary: false }, sent)
    else {
      const message = Buffer.allocUnsafe(chunk.length + 1)
      message[0] = channel
      chunk.copy(message, 1)
      socket.send(message, { binary: true }, sent)
    }
  }

  #ended(stream: number): void {
    const channel = this.#channels.get(stream)
    if (channel === undefined || !this.#open.delete(channel)) return
    if (this.#open.size === 0) this.#finish()
  }

  #finish(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.close(1000)
    this.#spdy.destroy()
  }
}

/** What the kubelet's Status says went wrong; undefined for success. */
function failureText(chunk: Buffer): string | undefined {
  try {
    const { status, message } = parseJson(chunk.toString("utf8")) as { status?: string; message?: string }
    return status === "Success" ? undefined : (message ?? "")
  } catch {
    return chunk.toString("utf8")
  }
}

const binaryServer = new WebSocketServer({
  noServer: true,
  maxPayload: 1024,
  perMessageDeflate: false,
  handleProtocols: (asked) =>
    ["binary.k8s.io", "base64.binary.k8s.io"].find((protocol) => asked.has(protocol)) ?? false,
})

/** Accepts the client's WebSocket and sends it what `source` holds, a message a piece. */
export function sendOverWebSocket(
  exchange: ServerExchange,
  upgrade: Upgrade,
  source: Readable | undefined,
  signal: AbortSignal,
): void {
  const accepted = exchange.guard((socket: WebSocket) => {
    const base64 = socket.protocol.startsWith("base64")
    const destroy = (): void => {
      socket.terminate()
      source?.destroy()
    }
    signal.addEventListener("abort", destroy, { once: true })
    socket.on("error", destroy)
    socket.on("close", () => {
      signal.removeEventListener("abort", destroy)
      source?.destroy()
    })
    if (!source) return socket.close(1000)
    source.on("data", (chunk: Buffer) => {
      if (socket.bufferedAmount > highWater) source.pause()
      const message = base64 ? chunk.toString("base64") : chunk
      socket.send(message, { binary: !base64 }, () => source.resume())
    })
    source.on("end", () => socket.close(1000))
    source.on("error", destroy)
  })
  accept(binaryServer, upgrade, source, accepted)
}

/** Accepts a port-forward tunnel: each message's payload is a piece of the SPDY connection behind it. */
export function tunnel(
  exchange: ServerExchange,
  upgrade: Upgrade,
  kubelet: UpgradedConnection,
  signal: AbortSignal,
): void {
  // The name holds a "/", which the library takes for malformed: it must not see it, and the answer must have it.
  delete upgrade.request.headers["sec-websocket-protocol"]
  const answerProtocol = (headers: string[]): void => {
    headers.push(`Sec-WebSocket-Protocol: ${tunnelProtocol}`)
  }
  const accepted = exchange.guard((socket: WebSocket) => {
    const spdy: Duplex = kubelet.socket
    const destroy = (): void => {
      socket.terminate()
      spdy.destroy()
    }
    signal.addEventListener("abort", destroy, { once: true })
    const send = (chunk: Buffer): void => {
      if (socket.readyState !== socket.OPEN) return
      if (socket.bufferedAmount > highWater) {
        spdy.pause()
        socket.send(chunk, { binary: true }, () => spdy.resume())
      } else socket.send(chunk, { binary: true })
    }
    if (kubelet.head.length > 0) send(kubelet.head)
    spdy.on("data", send)
    spdy.on("end", () => socket.close(1000))
    spdy.on("close", () => socket.close(1000))
    spdy.on("error", destroy)
    socket.on("message", (data) => {
      if (spdy.write(data as Buffer)) return
      socket.pause()
      spdy.once("drain", () => socket.resume())
    })
    socket.on("error", destroy)
    socket.on("close", () => {
      signal.removeEventListener("abort", destroy)
      spdy.destroy()
    })
  })
  server.once("headers", answerProtocol)
  accept(server, upgrade, kubelet.socket, accepted)
  server.off("headers", answerProtocol)
}
