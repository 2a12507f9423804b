/** Cluster DNS, one per node: UDP and TCP, the cluster's zone from informers, everything else forwarded. */
import { createSocket } from "node:dgram"
import { createServer, type Socket } from "node:net"
import { deferred, messageOf, type Clock, type Env, type Scope } from "@knarr/base"
import { endpointSlice, service } from "@knarr/api"
import type { InformerFactory } from "@knarr/client"
import { ClusterZone } from "./cluster-zone.ts"
import { RateShares } from "./fair-slots.ts"
import { createForwarder, resolversOf } from "./forward.ts"
import { Resolver } from "./resolver.ts"

export interface DnsOptions {
  readonly informers: InformerFactory
  readonly env: Env
  readonly scope: Scope
  /** Where to listen. */
  readonly addresses: readonly string[]
  /** Default 53; 0 takes any free one (the first address decides). */
  readonly port?: number
  /** Default `cluster.local`. */
  readonly domain?: string
  /** `address` or `address:port`; default: the name servers of /etc/resolv.conf, except the addresses we listen on. */
  readonly upstreams?: readonly string[]
}

export interface Dns {
  readonly port: number
}

const maxConnections = 200
const maxConnectionsPerSource = 20
/** A connection that has not brought a whole question for so long is closed. */
const idleTimeoutMs = 10_000
/** Of one source over UDP; what is more is dropped before it is read. */
const questionsPerSecond = 5_000
const rememberedSources = 4_096

/** Starts answering; the scope's end stops it. Throws when an address is taken. */
export async function startDns(options: DnsOptions): Promise<Dns> {
  const { informers, env, scope, addresses } = options
  const zone = new ClusterZone({
    services: informers.informer(service),
    slices: informers.informer(endpointSlice),
    domain: options.domain ?? "cluster.local",
  })
  const upstreams =
    options.upstreams ?? resolversOf("/etc/resolv.conf").filter((server) => !addresses.includes(server))
  const forwarder = scope.use(createForwarder(upstreams, env))
  const listening: Listening = {
    resolver: new Resolver(zone, forwarder, env, scope.signal),
    shares: new RateShares(env.clock, { perSecond: questionsPerSecond, sources: rememberedSources }),
    env,
    scope,
  }
  let port = options.port ?? 53
  for (const address of addresses) {
    port = await listenUdp(listening, address, port)
    await listenTcp(listening, address, port)
  }
  return { port }
}

interface Listening {
  readonly resolver: Resolver
  readonly shares: RateShares
  readonly env: Env
  readonly scope: Scope
}

async function listenUdp(
  { resolver, shares, env, scope }: Listening,
  address: string,
  port: number,
): Promise<number> {
  const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4", reuseAddr: true })
  const ready = deferred()
  socket.once("error", ready.reject)
  socket.bind(port, address, () => ready.resolve())
  await ready.promise
  socket.on("error", (error) => env.log.debug("DNS socket", { err: error.message }))
  let open = true
  const send = (
    answer: Buffer | undefined,
    from: { readonly port: number; readonly address: string },
  ): void => {
    // That a client cannot be reached is its own affair.
    if (answer && open) socket.send(answer, from.port, from.address, () => {})
  }
  socket.on("message", (message, from) => {
    // Port 0 is nobody's; anybody can send from it.
    if (from.port === 0 || !shares.take(from.address)) return
    try {
      const answer = resolver.answer(message, "udp", from.address)
      if (answer instanceof Promise)
        scope.run("question", async () => send(await answer, from), { contained: true })
      else send(answer, from)
    } catch (thrown) {
      env.log.debug("DNS question was not answered", { err: messageOf(thrown) })
    }
  })
  scope.defer(() => {
    open = false
    socket.close()
  })
  return socket.address().port
}

async function listenTcp({ resolver, env, scope }: Listening, address: string, port: number): Promise<void> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy())
    const source = socket.remoteAddress ?? ""
    if ([...sockets].filter((other) => other.remoteAddress === source).length >= maxConnectionsPerSource)
      return void socket.destroy()
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    scope.run("connection", () => serveConnection(resolver, socket, source, env.clock), { contained: true })
  })
  server.maxConnections = maxConnections
  const ready = deferred()
  server.once("error", ready.reject)
  server.listen(port, address, () => ready.resolve())
  await ready.promise
  server.on("error", (error) => env.log.debug("DNS server", { err: error.message }))
  scope.defer(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
}

async function serveConnection(
  resolver: Resolver,
  socket: Socket,
  source: string,
  clock: Clock,
): Promise<void> {
  let received = Buffer.alloc(0)
  const startTimer = (): Disposable => clock.timer(idleTimeoutMs, () => socket.destroy())
  let timer = startTimer()
  try {
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        timer[Symbol.dispose]()
        timer = startTimer()
        const end = 2 + received.readUInt16BE(0)
        const answer = await resolver.answer(received.subarray(2, end), "tcp", source)
        received = received.subarray(end)
        if (!answer) continue
        const length = Buffer.alloc(2)
        length.writeUInt16BE(answer.length)
        // Who does not read its answers asks no more questions.
        if (!socket.write(Buffer.concat([length, answer])) && !(await drained(socket))) return
      }
    }
  } catch {
    // The client broke the connection off; there is nobody to answer.
  } finally {
    timer[Symbol.dispose]()
    socket.destroy()
  }
}

/** Whether the socket can be written to again; false when it was closed. */
function drained(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve(false)
    const onDrain = (): void => {
      socket.off("close", onClose)
      resolve(true)
    }
    const onClose = (): void => {
      socket.off("drain", onDrain)
      resolve(false)
    }
    socket.once("drain", onDrain)
    socket.once("close", onClose)
  })
}
