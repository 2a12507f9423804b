import assert from "node:assert/strict"
import { createSocket } from "node:dgram"
import { Resolver } from "node:dns/promises"
import { connect, type Socket } from "node:net"
import { test } from "node:test"
import packet from "dns-packet"
import { Scope, deferred } from "@knarr/base"
import { startTestPlane, systemEnv } from "@knarr/testkit"
import { endpointSlice, service, type EndpointSlice, type Service } from "@knarr/api"
import { createInformerFactory, type InformerFactory } from "@knarr/client"
import { ClusterZone, startDns } from "./index.ts"

const env = systemEnv()

/** The informers of a control plane that has the services below. */
async function startCluster(scope: Scope): Promise<InformerFactory> {
  const client = (await startTestPlane(scope, env)).client()
  const ports = [{ name: "http", port: 80, protocol: "TCP" }]
  const services: Record<string, Service["spec"]> = {
    web: { clusterIP: "10.96.0.20", ports },
    db: { clusterIP: "None", ports },
    empty: { clusterIP: "None" },
    alias: { type: "ExternalName", externalName: "web.default.svc.cluster.local" },
    world: { type: "ExternalName", externalName: "example.com." },
  }
  for (const [name, spec] of Object.entries(services))
    await client.create(service, { metadata: { namespace: "default", name }, spec })
  const slices: Record<string, EndpointSlice["endpoints"]> = {
    web: [{ addresses: ["10.244.0.2"] }],
    db: [
      { addresses: ["10.244.0.5"], hostname: "db-0", conditions: { ready: true } },
      { addresses: ["10.244.0.6"], conditions: { ready: true } },
      { addresses: ["10.244.0.7"], hostname: "db-2", conditions: { ready: false } },
    ],
  }
  for (const [name, endpoints] of Object.entries(slices))
    await client.create(endpointSlice, {
      metadata: { namespace: "default", name, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      endpoints,
    })
  return createInformerFactory({ client, scope: scope.child("informers"), env })
}

test("the zone answers by the specification", async () => {
  await using scope = new Scope("test")
  const informers = await startCluster(scope)
  const services = informers.informer(service)
  const slices = informers.informer(endpointSlice)
  await Promise.all([services, slices].map((informer) => informer.waitForSync(scope.signal)))
  const zone = new ClusterZone({ services, slices, domain: "cluster.local" })
  const ask = (name: string, type: string): unknown => {
    const answer = zone.answer(name, type)
    if (!answer) return "elsewhere"
    return answer.exists ? answer.answers.map((record) => record.data) : "no such name"
  }
  const cases: [string, string, unknown][] = [
    ["web.default.svc.cluster.local", "A", ["10.96.0.20"]],
    ["web.default.svc.cluster.local", "AAAA", []],
    [
      "_http._tcp.web.default.svc.cluster.local",
      "SRV",
      [{ priority: 0, weight: 100, port: 80, target: "web.default.svc.cluster.local" }],
    ],
    ["_nope._tcp.web.default.svc.cluster.local", "SRV", "no such name"],
    ["db.default.svc.cluster.local", "A", ["10.244.0.5", "10.244.0.6"]],
    ["db-0.db.default.svc.cluster.local", "A", ["10.244.0.5"]],
    ["10-244-0-6.db.default.svc.cluster.local", "A", ["10.244.0.6"]],
    ["db-2.db.default.svc.cluster.local", "A", "no such name"],
    ["empty.default.svc.cluster.local", "A", "no such name"],
    ["world.default.svc.cluster.local", "CNAME", ["example.com"]],
    ["1-2-3-4.default.pod.cluster.local", "A", ["1.2.3.4"]],
    ["1-2-3-400.default.pod.cluster.local", "A", "no such name"],
    ["nope.default.svc.cluster.local", "A", "no such name"],
    ["20.0.96.10.in-addr.arpa", "PTR", ["web.default.svc.cluster.local"]],
    ["5.0.244.10.in-addr.arpa", "PTR", ["db-0.db.default.svc.cluster.local"]],
    ["9.9.9.9.in-addr.arpa", "PTR", "elsewhere"],
    ["example.com", "A", "elsewhere"],
    ["dns-version.cluster.local", "TXT", ["1.1.0"]],
    ["default.svc.cluster.local", "A", []],
  ]
  for (const [name, type, expected] of cases) assert.deepEqual(ask(name, type), expected, `${name} ${type}`)
})

/** A resolver of the outside world that knows one name. */
async function startUpstream(scope: Scope): Promise<string> {
  const socket = createSocket("udp4")
  socket.on("message", (message, from) => {
    const asked = packet.decode(message)
    const [question] = asked.questions!
    const known = question!.name === "example.com" && question!.type === "A"
    const answers = known ? [{ type: "A" as const, name: "example.com", ttl: 5, data: "93.184.216.34" }] : []
    socket.send(
      packet.encode({
        type: "response",
        id: asked.id!,
        flags: 0x180 | (known ? 0 : 3),
        questions: asked.questions!,
        answers,
      }),
      from.port,
      from.address,
    )
  })
  const ready = deferred()
  socket.bind(0, "127.0.0.1", () => ready.resolve())
  await ready.promise
  scope.defer(() => void socket.close())
  return `127.0.0.1:${socket.address().port}`
}

test("the server answers over UDP, follows names, forwards the rest, and survives garbage", async () => {
  await using scope = new Scope("test")
  const informers = await startCluster(scope)
  const { port } = await startDns({
    informers,
    env,
    scope: scope.child("dns"),
    addresses: ["127.0.0.1"],
    port: 0,
    upstreams: [await startUpstream(scope)],
  })
  const garbage = createSocket("udp4")
  for (const bytes of [Buffer.alloc(0), Buffer.from("x"), Buffer.alloc(40, 0xff), Buffer.alloc(12)])
    await new Promise((resolve) => garbage.send(bytes, port, "127.0.0.1", resolve))
  garbage.close()
  const resolver = new Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([`127.0.0.1:${port}`])
  assert.deepEqual(await resolver.resolve4("web.default.svc.cluster.local"), ["10.96.0.20"])
  assert.deepEqual(await resolver.resolve4("WEB.default.svc.cluster.local"), ["10.96.0.20"])
  assert.deepEqual(await resolver.resolve4("alias.default.svc.cluster.local"), ["10.96.0.20"])
  assert.deepEqual(await resolver.resolve4("world.default.svc.cluster.local"), ["93.184.216.34"])
  assert.deepEqual(await resolver.resolve4("example.com"), ["93.184.216.34"])
  await assert.rejects(resolver.resolve4("nope.default.svc.cluster.local"), { code: "ENOTFOUND" })
  await assert.rejects(resolver.resolve4("nope.example.com"), { code: "ENOTFOUND" })
  const [srv] = await resolver.resolveSrv("_http._tcp.db.default.svc.cluster.local")
  assert.equal(srv!.port, 8080)
})

/** Answers of a TCP connection, counted as they come. */
class Asker implements Disposable {
  readonly #socket: Socket
  readonly closed: Promise<void>
  #received = Buffer.alloc(0)
  #waiting: (() => void) | undefined
  answers = 0

  constructor(port: number, localAddress: string) {
    this.#socket = connect({ host: "127.0.0.1", port, localAddress })
    this.closed = new Promise((resolve) => this.#socket.once("close", () => resolve()))
    this.#socket.on("error", () => {})
    this.#socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      while (this.#received.length >= 2 && this.#received.length >= 2 + this.#received.readUInt16BE(0)) {
        this.#received = this.#received.subarray(2 + this.#received.readUInt16BE(0))
        this.answers++
      }
      this.#waiting?.()
    })
  }

  /** So many questions in one piece. */
  ask(count: number): void {
    const questions = [{ type: "A" as const, name: "web.default.svc.cluster.local" }]
    const one = packet.streamEncode({ type: "query", id: 1, questions })
    this.#socket.write(Buffer.concat(Array.from({ length: count }, () => one)))
  }

  async answered(count: number): Promise<void> {
    while (this.answers < count) await new Promise<void>((resolve) => (this.#waiting = resolve))
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

test("Over TCP sources take turns, and who has many connections makes room for who has none", async () => {
  await using scope = new Scope("test")
  const informers = await startCluster(scope)
  const addresses = ["127.0.0.1"]
  const { port, shares } = await startDns({
    informers,
    env,
    scope: scope.child("dns"),
    addresses,
    port: 0,
    upstreams: [],
  })
  assert.deepEqual(shares, [])
  const asker = (address: string): Asker => scope.use(new Asker(port, address))

  const [eager, calm] = [asker("127.0.1.1"), asker("127.0.1.2")]
  for (const one of [eager, calm]) one.ask(1)
  await Promise.all([eager, calm].map((one) => one.answered(1)))
  eager.ask(3_000)
  calm.ask(1)
  await calm.answered(2)
  assert.ok(eager.answers < 3_000, `${eager.answers} answers of the other came before`)
  await eager.answered(3_001)

  // As many as there may be, of ten sources: one after another, so that each is let in before the next.
  const held: Asker[] = []
  for (let i = 0; i < 198; i++) {
    const one = asker(`127.0.0.${10 + Math.floor(i / 20)}`)
    held.push(one)
    one.ask(1)
    await one.answered(1)
  }
  const more = asker("127.0.0.10")
  await more.closed
  assert.equal(more.answers, 0)
  const late = asker("127.0.1.3")
  late.ask(1)
  await late.answered(1)
  // The oldest of a source with most.
  await held[0]!.closed
  held[1]!.ask(1)
  await held[1]!.answered(2)
})

test("Each share is a port of its own that answers", async () => {
  await using scope = new Scope("test")
  const informers = await startCluster(scope)
  const addresses = ["127.0.0.1"]
  const { port, shares } = await startDns({
    informers,
    env,
    scope: scope.child("dns"),
    addresses,
    port: 0,
    upstreams: [],
    shares: true,
  })
  assert.equal(new Set([port, ...shares]).size, 257)
  for (const share of [shares[0], shares[255]]) {
    const resolver = new Resolver({ timeout: 20_000, tries: 1 })
    resolver.setServers([`127.0.0.1:${share}`])
    assert.deepEqual(await resolver.resolve4("web.default.svc.cluster.local"), ["10.96.0.20"])
  }
})
