/** What transports are tested against: real servers on the loopback, and a link that can be cut without a word. */
import type { IncomingHttpHeaders } from "node:http2"
import {
  createSecureServer,
  type Http2SecureServer,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2"
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { createCA, issueCertificate, type KeyPair } from "@knarr/base"
import type { TlsOptions } from "./tls-options.ts"

const lifetime = { serial: Buffer.from([1]), notBeforeMs: Date.UTC(2020, 0), notAfterMs: Date.UTC(2120, 0) }
const ca = createCA({ subject: { commonName: "ca" }, ...lifetime })

/** Certificates that {@link startHttp2} takes. */
export function clientIdentity(commonName: string): TlsOptions {
  return {
    ca: ca.cert,
    ...issueCertificate(ca, { subject: { commonName }, usages: ["clientAuth"], ...lifetime }),
  }
}

export const serverIdentity: KeyPair = issueCertificate(ca, {
  subject: { commonName: "server" },
  usages: ["serverAuth"],
  ipAddresses: ["127.0.0.1"],
  ...lifetime,
})

export interface Http2Peer extends AsyncDisposable {
  readonly server: Http2SecureServer
  /** Answers requests from now on. */
  onStream(answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void): void
  readonly url: string
  /** Its connections, in the order in which they were made. */
  readonly sessions: readonly ServerHttp2Session[]
}

/** An HTTP/2 server that asks for client certificates. */
export async function startHttp2(options: SecureServerOptions = {}, port = 0): Promise<Http2Peer> {
  const server = createSecureServer({
    ...serverIdentity,
    ca: ca.cert,
    requestCert: true,
    rejectUnauthorized: true,
    ...options,
  })
  const sockets = new Set<Socket>()
  server.on("connection", (socket: Socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    socket.on("error", () => {})
  })
  server.on("sessionError", () => {})
  const sessions: ServerHttp2Session[] = []
  server.on("session", (session) => sessions.push(session))
  return {
    server,
    onStream: (answer) => void server.on("stream", answer),
    url: `https://127.0.0.1:${await listen(server, port)}`,
    sessions,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** A link to `target` that can be cut so that neither side hears of it. */
export async function startLink(
  target: string,
): Promise<AsyncDisposable & { readonly url: string; cut(): void }> {
  const sockets: Socket[] = []
  const server = createServer((near) => {
    const far = connect(Number(new URL(target).port), "127.0.0.1")
    for (const socket of [near, far]) socket.on("error", () => {})
    near.pipe(far)
    far.pipe(near)
    sockets.push(near, far)
  })
  return {
    url: `https://127.0.0.1:${await listen(server)}`,
    cut() {
      for (const socket of sockets) {
        socket.unpipe()
        socket.pause()
      }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

export async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
  return (server.address() as AddressInfo).port
}
