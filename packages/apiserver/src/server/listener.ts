/**
 * The secure port: TLS with ALPN, HTTP/2 and HTTP/1.1 on the same socket. Each request becomes an
 * {@link ServerExchange}; an HTTP/1.1 upgrade (SPDY, WebSocket) brings its raw socket along.
 */
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { SecureContextOptions, TLSSocket } from "node:tls"
import { destroySoon, messageOf, type Clock, type Logger } from "@knarr/base"
import { ServerSession } from "@knarr/http2"
import { Http1Exchange, Http2Exchange, type ServerExchange } from "./exchange.ts"

/** PEM texts. `clientCA` may hold several certificates. */
export interface ServingCertificates {
  readonly cert: string
  readonly key: string
  /** Named to clients, so that they know which certificate to offer; verified by OpenSSL, read in authn/x509.ts. */
  readonly clientCA?: string | undefined
}

/** How connections are made. */
export interface TlsSettings {
  /** Default `TLSv1.2`. */
  readonly minVersion?: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3" | undefined
  /** Names of OpenSSL, for versions below 1.3. Default: those of Node.js. */
  readonly ciphers?: readonly string[] | undefined
}

export interface Http2Settings {
  /** Default true. */
  readonly enabled?: boolean | undefined
  /** Default 1000. */
  readonly maxStreams?: number | undefined
}

/** A connection beyond a bound is closed before it costs anything. */
export interface ConnectionLimits {
  /** Open at once; default 10,000. */
  readonly total?: number | undefined
  /** Open at once from one address; this machine's loopback has no such bound. Default 2,000. */
  readonly perAddress?: number | undefined
  /** Still without TLS; default 500. */
  readonly handshaking?: number | undefined
  /** How long a handshake may take; default 10 s. */
  readonly handshakeMs?: number | undefined
}

export interface ListenerOptions {
  readonly clock: Clock
  readonly log: Logger
  /** All of them get the same port. */
  readonly bindAddresses: readonly string[]
  /** 0 for any free port. */
  readonly port: number
  readonly limits?: ConnectionLimits | undefined
  readonly certificates: ServingCertificates
  readonly tls?: TlsSettings | undefined
  readonly http2?: Http2Settings | undefined
  /** Also told of upgrades that {@link takesUpgrade} wants. Must not throw. */
  onRequest(exchange: ServerExchange): void
  /** A client could not agree on a connection. Must not throw. */
  onHandshakeFailed?(): void
  /** Whether a request that asks for another protocol may have it; else it is a request like any other. */
  takesUpgrade(request: IncomingMessage): boolean
}

export interface Listener {
  readonly port: number
  /** Serves new connections with other certificates; those that are open stay. */
  setCertificates(certificates: ServingCertificates): void
  /** Serves new connections that ask for one of the names (`a.example.com`, `*.example.com`) with a certificate of their own. */
  setNamedCertificates(names: readonly string[], certificates: ServingCertificates): void
  /** No new connections; HTTP/2 clients are told to go away, idle connections are closed. */
  beginShutdown(): void
  /** Waits up to `graceMs` for requests to finish, then breaks off what is left. */
  close(graceMs: number): Promise<void>
  /** Open connections. */
  readonly connections: number
}

const maxHeaderBytes = 64 * 1024
/** How long a connection may stay on which nothing is asked. */
const idleMs = 180_000
function tlsOptions(
  { cert, key, clientCA }: ServingCertificates,
  { minVersion = "TLSv1.2", ciphers }: TlsSettings = {},
): SecureContextOptions {
  return {
    cert,
    key,
    minVersion,
    ...(ciphers ? { ciphers: ciphers.join(":") } : {}),
    ...(clientCA === undefined ? {} : { ca: clientCA }),
  }
}

/** Whether bytes of the request itself follow its head. */
function announcesBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.")
}

/** Opens the port. Rejects when an address cannot be bound. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { log, clock } = options
  const sessions = new Set<ServerSession>()
  const sockets = new Set<Duplex>()
  const servers: HttpsServer[] = []
  const { total = 10_000, perAddress = 2_000, handshaking: maxHandshaking = 500 } = options.limits ?? {}
  const handshakeMs = options.limits?.handshakeMs ?? 10_000
  const raw = new Set<Socket>()
  const byAddress = new Map<string, number>()
  let closing = false

  /** Counts a connection from its first moment; false when there is no room for it. */
  const admit = (socket: Socket): boolean => {
    const address = socket.remoteAddress ?? ""
    const fromHere = isLoopback(address)
    const own = (byAddress.get(address) ?? 0) + 1
    const handshaking = raw.size - sockets.size
    if (raw.size >= total || handshaking >= maxHandshaking || (!fromHere && own > perAddress)) return false
    raw.add(socket)
    byAddress.set(address, own)
    socket.once("close", () => {
      raw.delete(socket)
      const left = byAddress.get(address)! - 1
      if (left === 0) byAddress.delete(address)
      else byAddress.set(address, left)
    })
    return true
  }

  const openSession = (socket: TLSSocket): void => {
    const session = new ServerSession(socket, {
      clock,
      maxConcurrentStreams: options.http2?.maxStreams,
      maxHeaderBytes,
      idleMs,
      onStream(stream) {
        // Extended CONNECT is not offered: exec over HTTP/2 is not a thing that clients do.
        if (stream.headers[":method"] === "CONNECT") stream.respond(405, [], true)
        else options.onRequest(new Http2Exchange(stream, session))
      },
      onClose(error) {
        sessions.delete(session)
        if (error) log.debug("An HTTP/2 session failed", { err: messageOf(error) })
      },
    })
    sessions.add(session)
    if (closing) session.close()
  }

  const create = (): HttpsServer => {
    const server = createHttpsServer({
      ...tlsOptions(options.certificates, options.tls),
      ALPNProtocols: options.http2?.enabled === false ? ["http/1.1"] : ["h2", "http/1.1"],
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: handshakeMs,
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: 32_000,
      requestTimeout: 0,
      keepAliveTimeout: idleMs,
      noDelay: true,
      // An upgrade has no body: while one is awaited, node:http would hand over something that is no socket.
      shouldUpgradeCallback: (request) => !announcesBody(request) && options.takesUpgrade(request),
    })
    server.maxRequestsPerSocket = 0
    const onConnection = server.listeners("connection")[0] as (this: HttpsServer, socket: Socket) => void
    server.removeAllListeners("connection")
    server.on("connection", (socket: Socket) => {
      if (admit(socket)) onConnection.call(server, socket)
      else socket.destroy()
    })
    // The server's own listener speaks HTTP/1.1; HTTP/2 connections must not reach it.
    const onHttp1 = server.listeners("secureConnection")[0] as (this: HttpsServer, socket: TLSSocket) => void
    server.removeAllListeners("secureConnection")
    server.on("secureConnection", (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
      socket.on("error", () => {})
      // A peer that vanished without a word is noticed in the end.
      socket.setKeepAlive(true, 60_000)
      if (socket.alpnProtocol === "h2") {
        socket.setNoDelay(true)
        openSession(socket)
      } else onHttp1.call(server, socket)
    })
    server.on("tlsClientError", (error) => {
      options.onHandshakeFailed?.()
      log.debug("A TLS handshake failed", { err: messageOf(error) })
    })
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      // Without TLS nothing can be said: a socket that waits to say it would stay for ever.
      if (!sockets.has(socket) || error.code === "ECONNRESET" || !socket.writable)
        return void socket.destroy()
      const status =
        error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request"
      socket.end(
        `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`,
      )
      destroySoon(socket)
    })
    // The last request of each connection: what was asked before an upgrade is answered before it.
    const last = new WeakMap<Duplex, ServerResponse>()
    server.on("request", (request, response) => {
      last.set(request.socket, response)
      options.onRequest(new Http1Exchange(request, response))
    })
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => {})
      const upgrade = (): void => {
        if (socket.destroyed) return
        const exchange = Http1Exchange.ofUpgrade(request, socket, head)
        if (exchange) options.onRequest(exchange)
        else destroySoon(socket)
      }
      const before = last.get(socket)
      if (before && !before.closed) before.once("close", upgrade)
      else upgrade()
    })
    servers.push(server)
    return server
  }

  let { port } = options
  for (const address of options.bindAddresses) {
    const server = create()
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => {
        // Those that listen already must not keep the process alive.
        for (const one of servers) one.close()
        reject(error)
      })
      server.listen({ port, host: address, backlog: 4096 }, () => {
        server.removeAllListeners("error")
        server.on("error", (error) => log.error("The secure port failed", error, { address }))
        resolve()
      })
    })
    port = (server.address() as AddressInfo).port
  }

  const beginShutdown = (): void => {
    if (closing) return
    closing = true
    for (const server of servers) {
      server.close()
      server.closeIdleConnections()
    }
    // Sends GOAWAY and lets the open streams end.
    for (const session of sessions) session.close()
  }

  return {
    port,
    get connections() {
      return sockets.size
    },
    setCertificates(certificates) {
      for (const server of servers) server.setSecureContext(tlsOptions(certificates, options.tls))
    },
    setNamedCertificates(names, certificates) {
      for (const server of servers)
        for (const name of names) server.addContext(name, tlsOptions(certificates, options.tls))
    },
    beginShutdown,
    async close(graceMs) {
      beginShutdown()
      const done = Promise.all(
        [...sockets].map(
          (socket) =>
            new Promise<void>((resolve) => {
              if (socket.destroyed) resolve()
              else socket.once("close", () => resolve())
            }),
        ),
      )
      let timer: Disposable | undefined
      const late = new Promise<void>((resolve) => {
        timer = clock.timer(graceMs, resolve)
      })
      await Promise.race([done, late])
      timer?.[Symbol.dispose]()
      for (const session of sessions) session.destroy()
      for (const socket of sockets) socket.destroy()
      for (const server of servers) server.closeAllConnections()
    },
  }
}
