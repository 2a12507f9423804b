/**
 * Between the members of a test's etcd: a port for each, which leads to it. Members say with each connection who they are, so
 * that those from and to one of them can be refused.
 */
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"

interface Link {
  /** The id of the member that opened it. */
  readonly from: string
  readonly to: number
  readonly sockets: readonly Socket[]
}

export class PeerRelay implements Disposable {
  readonly #ports: readonly number[]
  readonly #servers: readonly Server[]
  readonly #links = new Set<Link>()
  #cut: { readonly member: number; readonly id: string } | undefined

  private constructor(ports: readonly number[]) {
    this.#ports = ports
    this.#servers = ports.map((port, to) => createServer((socket) => this.#accept(socket, port, to)))
  }

  /** In front of members that listen, or will, on these ports of the loopback. */
  static async start(ports: readonly number[]): Promise<PeerRelay> {
    const relay = new PeerRelay(ports)
    await Promise.all(relay.#servers.map((server) => once(server.listen(0, "127.0.0.1"), "listening")))
    return relay
  }

  /** Where members reach one another. */
  get urls(): readonly string[] {
    return this.#servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  }

  /** The connections of this member end, and no new ones come about, until {@link heal}. */
  async cutOff(member: number): Promise<void> {
    const url = this.urls[member]!
    const text = await (await fetch(`http://127.0.0.1:${this.#ports[member]}/members`)).text()
    // An id has 64 bits: more than a number of JavaScript's.
    const [, id] = new RegExp(`"id":(\\d+),"peerURLs":\\["${url}"`).exec(text) ?? []
    if (id === undefined) throw new Error(`Cannot cut off the member at ${url}: ${text}`)
    this.#cut = { member, id: BigInt(id).toString(16) }
    for (const link of this.#links) if (this.#isCut(link)) end(link)
  }

  heal(): void {
    this.#cut = undefined
  }

  #isCut({ from, to }: Pick<Link, "from" | "to">): boolean {
    return this.#cut !== undefined && (to === this.#cut.member || from === this.#cut.id)
  }

  #accept(socket: Socket, port: number, to: number): void {
    socket.on("error", () => socket.destroy())
    socket.once("data", (first) => {
      const from = /^x-server-from: (\w+)/im.exec(first.toString("latin1"))?.[1] ?? ""
      if (this.#isCut({ from, to })) return void socket.destroy()
      const target = connect(port, "127.0.0.1")
      const link = { from, to, sockets: [socket, target] }
      this.#links.add(link)
      target.on("error", () => socket.destroy())
      socket.once("close", () => {
        this.#links.delete(link)
        target.destroy()
      })
      target.write(first)
      socket.pipe(target).pipe(socket)
    })
  }

  [Symbol.dispose](): void {
    for (const server of this.#servers) server.close()
    for (const link of this.#links) end(link)
  }
}

function end({ sockets }: Link): void {
  for (const socket of sockets) socket.destroy()
}
