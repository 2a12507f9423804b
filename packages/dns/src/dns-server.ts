/** Cluster DNS, one per node: UDP and TCP, the cluster's zone from informers, everything else forwarded. */
import { createSocket } from "node:dgram"
import { createServer, type Socket } from "node:net"
import packet, { type Packet } from "dns-packet"
import { deferred, type Env, type Scope } from "@knarr/base"
import { endpointSlice, service } from "@knarr/api"
import type { InformerFactory } from "@knarr/client"
import { ClusterZone, type ZoneAnswer } from "./cluster-zone.ts"
import { createForwarder, resolversOf, type Forwarder } from "./forward.ts"

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
const idleTimeoutMs = 10_000
const maxUdpBytes = 1232
const rcodes = { ok: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4 }
const flags = {
  authoritative: 1 << 10,
  truncated: 1 << 9,
  recursionDesired: 1 << 8,
  recursionAvailable: 1 << 7,
}

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
  const resolver = new Resolver(zone, createForwarder(upstreams, env.clock), env, scope.signal)
  let port = options.port ?? 53
  for (const address of addresses) {
    port = await listenUdp(resolver, scope, address, port)
    await listenTcp(resolver, scope, address, port)
  }
  return { port }
}

class Resolver {
  readonly #zone: ClusterZone
  readonly #forwarder: Forwarder
  readonly #env: Env
  readonly #signal: AbortSignal

  constructor(zone: ClusterZone, forwarder: Forwarder, env: Env, signal: AbortSignal) {
    this.#zone = zone
    this.#forwarder = forwarder
    this.#env = env
    this.#signal = signal
  }

  /** The raw answer to a raw question; undefined for what is no question and gets no answer. */
  async resolve(query: Buffer, transport: "udp" | "tcp"): Promise<Buffer | undefined> {
    if (query.length < 12 || query[2]! & 0x80) return undefined
    let asked: Packet
    try {
      asked = packet.decode(query)
    } catch {
      return failure(query, rcodes.formatError)
    }
    const question = asked.questions?.[0]
    if (asked.questions?.length !== 1 || !question) return failure(query, rcodes.formatError)
    if (((query[2]! >> 3) & 0xf) !== 0) return failure(query, rcodes.notImplemented)
    const name = question.name.toLowerCase()
    const found = this.#zone.answer(name, question.type)
    try {
      if (!found) return await this.#forwarder.ask(query, transport, this.#signal)
      return await this.#local(asked, found, question.type, transport)
    } catch (thrown) {
      if (this.#signal.aborted) return undefined
      this.#env.log.debug("DNS question was not answered", { name, type: question.type, err: thrown })
      return failure(query, rcodes.serverFailure)
    }
  }

  async #local(asked: Packet, found: ZoneAnswer, type: string, transport: "udp" | "tcp"): Promise<Buffer> {
    const answers = [...found.answers]
    let rcode = found.exists ? rcodes.ok : rcodes.nameError
    if (found.follow && type !== "CNAME") {
      const target = this.#zone.answer(found.follow, type)
      if (target) answers.push(...target.answers)
      else {
        const query = packet.encode({
          type: "query",
          id: asked.id ?? 0,
          flags: flags.recursionDesired,
          questions: [{ type: type as "A", name: found.follow }],
        })
        const reply = packet.decode(await this.#forwarder.ask(query, transport, this.#signal))
        answers.push(...(reply.answers as unknown as typeof answers))
        rcode = (reply.flags ?? 0) & 0xf
      }
    }
    const edns = asked.additionals?.find((extra) => extra.type === "OPT") as
      | { udpPayloadSize?: number }
      | undefined
    const make = (records: typeof answers, more: number): Buffer =>
      packet.encode({
        type: "response",
        id: asked.id ?? 0,
        flags:
          flags.authoritative |
          flags.recursionAvailable |
          ((asked.flags ?? 0) & flags.recursionDesired) |
          rcode |
          more,
        questions: asked.questions!,
        answers: records as never,
        authorities: (records.length === 0 ? [this.#zone.soa()] : []) as never,
        additionals: [...(more ? [] : (found.additionals ?? [])), ...(edns ? [optRecord] : [])] as never,
      })
    const whole = make(answers, 0)
    const limit =
      transport === "tcp" ? 65_535 : Math.min(Math.max(edns?.udpPayloadSize ?? 512, 512), maxUdpBytes)
    if (whole.length <= limit) return whole
    // As many records as fit, marked as cut: the client asks again over TCP.
    let keep = answers.length
    for (;;) {
      keep = Math.floor(keep / 2)
      const cut = make(answers.slice(0, keep), flags.truncated)
      if (cut.length <= limit || keep === 0) return cut
    }
  }
}

const optRecord = {
  type: "OPT",
  name: ".",
  udpPayloadSize: maxUdpBytes,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
}

/** The question's header with an error in it. */
function failure(query: Buffer, rcode: number): Buffer {
  const header = Buffer.from(query.subarray(0, 12))
  header[2] = (header[2]! & 0x79) | 0x80
  header[3] = 0x80 | rcode
  header.fill(0, 4)
  return header
}

async function listenUdp(resolver: Resolver, scope: Scope, address: string, port: number): Promise<number> {
  const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4", reuseAddr: true })
  const ready = deferred()
  socket.once("error", ready.reject)
  socket.bind(port, address, () => ready.resolve())
  await ready.promise
  socket.on("error", () => {})
  socket.on("message", (message, from) => {
    scope.run(
      "question",
      async () => {
        const answer = await resolver.resolve(message, "udp")
        if (answer && !scope.signal.aborted) socket.send(answer, from.port, from.address)
      },
      { contained: true },
    )
  })
  scope.defer(() => void socket.close())
  return socket.address().port
}

async function listenTcp(resolver: Resolver, scope: Scope, address: string, port: number): Promise<void> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.setTimeout(idleTimeoutMs, () => socket.destroy())
    socket.on("close", () => sockets.delete(socket))
    socket.on("error", () => socket.destroy())
    scope.run("connection", () => serveConnection(resolver, socket), { contained: true })
  })
  server.maxConnections = maxConnections
  const ready = deferred()
  server.once("error", ready.reject)
  server.listen(port, address, () => ready.resolve())
  await ready.promise
  scope.defer(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
}

async function serveConnection(resolver: Resolver, socket: Socket): Promise<void> {
  let received = Buffer.alloc(0)
  try {
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0)
        const answer = await resolver.resolve(received.subarray(2, end), "tcp")
        received = received.subarray(end)
        if (!answer) continue
        const length = Buffer.alloc(2)
        length.writeUInt16BE(answer.length)
        socket.write(Buffer.concat([length, answer]))
      }
    }
  } catch {
    // The client broke the connection off; there is nobody to answer.
  } finally {
    socket.destroy()
  }
}
