/** What clients of an API server see while its etcd is not well: a clear Status within the request's time, and everything again afterwards. */
import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test, type TestContext } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import { configMap, type ConfigMap } from "@knarr/api"
import type { Status } from "@knarr/apimachinery"
import { createCA, issueCertificate, systemRandom, type KeyPair } from "@knarr/base"
import { createTransport, resolveContext, type WatchEvent } from "@knarr/client"
import { openEtcdStore, type EtcdStoreOptions, type EtcdTls, type Store } from "@knarr/store"
import { systemEnv, TestEtcd, TestEtcdCluster } from "@knarr/testkit"
import { startControlPlane, type ListeningControlPlane } from "knarr/testing"

const env = systemEnv()
const path = "/api/v1/namespaces/default/configmaps"

interface Answer {
  readonly code: number
  readonly text: string
}

/** An API server on an etcd, as a client sees it. */
class Server implements AsyncDisposable {
  readonly #plane: ListeningControlPlane
  readonly #store: Store
  readonly #transport

  private constructor(plane: ListeningControlPlane, store: Store) {
    this.#plane = plane
    this.#store = store
    this.#transport = createTransport(resolveContext(plane.kubeconfig).transport)
  }

  static async start(options: Omit<EtcdStoreOptions, "env">): Promise<Server> {
    const store = await openEtcdStore({ ...options, env })
    return new Server(await startControlPlane({ store, controllerManager: false, scheduler: false }), store)
  }

  get client() {
    return this.#plane.client
  }

  async ask(method: string, asked: string, body?: object): Promise<Answer> {
    const response = await this.#transport.request({
      method,
      path: asked,
      ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
      // As a request's own limit.
      signal: AbortSignal.timeout(60_000),
    })
    return { code: response.status, text: String(await response.buffer()) }
  }

  async create(name: string, size = 1): Promise<Answer> {
    return this.ask("POST", path, { metadata: { name }, data: { x: "x".repeat(size) } })
  }

  async createEvent(name: string): Promise<Answer> {
    const involvedObject = { kind: "ConfigMap", namespace: "default", name: "x" }
    return this.ask("POST", "/api/v1/namespaces/default/events", { metadata: { name }, involvedObject })
  }

  /** Resolves when a request is answered well. */
  async until(ask: () => Promise<Answer>): Promise<void> {
    for (let answer = await ask(); answer.code >= 300; answer = await ask()) await sleep(50)
  }

  /** The names of those that there are now. */
  async names(): Promise<readonly string[]> {
    const { text } = await this.ask("GET", path)
    const { items } = JSON.parse(text) as { readonly items: readonly ConfigMap[] }
    return items.map(({ metadata }) => metadata.name)
  }

  /** Follows, and goes on from where it was whenever the watch ends, as an informer does. */
  follow(from: string, signal: AbortSignal): { readonly seen: string[]; readonly failure: Promise<Status> } {
    const seen: string[] = []
    const run = async (): Promise<Status> => {
      for (let at = from; ;) {
        const watch = this.client.watch(configMap, { namespace: "default", resourceVersion: at, signal })
        for await (const event of watch as AsyncIterable<WatchEvent<ConfigMap>>) {
          if (event.type === "ERROR") return event.object
          at = event.object.metadata.resourceVersion
          seen.push(event.object.metadata.name)
        }
        await sleep(20)
      }
    }
    return { seen, failure: run() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#transport[Symbol.dispose]()
    await this.#plane.stop()
    await this.#store[Symbol.asyncDispose]()
  }
}

/** A request of etcd's JSON gateway. */
async function gateway(etcd: TestEtcd, call: string, body: object): Promise<unknown> {
  const answer = await fetch(`${etcd.endpoint}/v3/${call}`, { method: "POST", body: JSON.stringify(body) })
  const text = await answer.text()
  assert.ok(answer.ok, text)
  return JSON.parse(text)
}

interface Fault {
  readonly name: string
  readonly begin: (etcd: TestEtcd) => Promise<void> | void
  readonly end: (etcd: TestEtcd) => Promise<unknown> | void
  /** What a write and a read are told. */
  readonly message: RegExp
  /** Of `/readyz/etcd`. */
  readonly health: RegExp
}

const faults: readonly Fault[] = [
  {
    name: "gone",
    begin: (etcd) => etcd.kill(),
    end: (etcd) => etcd.start(),
    message: /^rpc error: code = Unavailable desc = /,
    health: /^internal server error: error getting data from etcd: /,
  },
  {
    name: "silent",
    begin: (etcd) => etcd.pause(),
    end: (etcd) => etcd.resume(),
    message: /^rpc error: code = DeadlineExceeded desc = context deadline exceeded$/,
    health: /^internal server error: error getting data from etcd: context deadline exceeded$/,
  },
]

// They wait most of the time: all at once.
test("An API server whose etcd", { concurrency: true }, async (suite) => {
  const running: Promise<void>[] = []
  const it = (name: string, run: (t: TestContext) => Promise<void>): void => {
    running.push(suite.test(name, run))
  }
  for (const { name, begin, end, message, health } of faults)
    it(`is ${name} says so, is not ready, and goes on by itself, watches too`, async () => {
      await using etcd = await new TestEtcd().start()
      await using server = await Server.start({ endpoints: [etcd.endpoint] })
      const created = JSON.parse((await server.create("first")).text) as ConfigMap
      const stop = new AbortController()
      const { seen, failure } = server.follow(created.metadata.resourceVersion, stop.signal)
      await begin(etcd)
      const [readyz, all, readiness, live, cached, ...answers] = await Promise.all([
        server.ask("GET", "/readyz/etcd"),
        server.ask("GET", "/readyz"),
        server.ask("GET", "/readyz/etcd-readiness"),
        server.ask("GET", "/livez/etcd"),
        server.ask("GET", `${path}?resourceVersion=0`),
        server.create("unknown"),
        server.ask("GET", `${path}/first`),
        server.ask("GET", path),
      ])
      for (const { code, text } of [readyz, readiness, live]) {
        assert.equal(code, 500)
        assert.match(text.trim(), health)
      }
      assert.equal(all.code, 500)
      assert.match(
        all.text,
        /\[-\]etcd failed: reason withheld\n\[-\]etcd-readiness failed: reason withheld\n/,
      )
      assert.equal(cached.code, 200)
      for (const { code, text } of answers) {
        const status = JSON.parse(text) as Status
        assert.equal(code, 500, text)
        assert.equal(status.kind, "Status")
        assert.match(status.message!, message)
      }
      await end(etcd)
      await server.until(() => server.ask("GET", "/readyz"))
      await server.until(() => server.create("second"))
      while (!seen.includes("second")) await sleep(20)
      // What was not acknowledged may have been written or not, and not twice.
      assert.deepEqual(seen, (await server.names()).filter((one) => one !== "first").toReversed())
      stop.abort()
      await assert.rejects(failure)
    })

  it("answers slowly is waited for", async () => {
    await using etcd = await new TestEtcd().start()
    await using server = await Server.start({ endpoints: [etcd.endpoint] })
    const stop = new AbortController()
    const slowing = (async () => {
      while (!stop.signal.aborted) {
        etcd.pause()
        await sleep(300)
        etcd.resume()
        await sleep(5)
      }
    })()
    for (let i = 0; i < 4; i++) {
      assert.equal((await server.create(`a${i}`)).code, 201)
      assert.equal((await server.ask("GET", `${path}/a${i}`)).code, 200)
    }
    stop.abort()
    await slowing
  })

  it("is full refuses what makes it larger, in etcd's words; once there is room again it goes on", async () => {
    await using etcd = await new TestEtcd(["--quota-backend-bytes", String(6 * 1024 * 1024)]).start()
    await using server = await Server.start({ endpoints: [etcd.endpoint] })
    let refused: Answer | undefined
    for (let i = 0; !refused; i++) {
      const answer = await server.create(`a${i}`, 700_000)
      if (answer.code !== 201) refused = answer
    }
    assert.equal(refused.code, 500)
    assert.equal((JSON.parse(refused.text) as Status).message, "etcdserver: mvcc: database space exceeded")
    assert.equal((await server.ask("GET", `${path}/a0`)).code, 200)
    assert.equal((await server.ask("GET", "/readyz/etcd")).code, 200)
    const names = await server.names()
    for (const one of names) assert.equal((await server.ask("DELETE", `${path}/${one}`)).code, 200)
    assert.equal((await server.create("b")).code, 500)
    // As operators do, but for the compaction, which the server does.
    await using own = await openEtcdStore({ env, endpoints: [etcd.endpoint], compactKey: "compact_rev_key" })
    await own.compact(own.revision)
    await server.until(async () => {
      await gateway(etcd, "maintenance/defragment", {})
      const { alarms = [] } = (await gateway(etcd, "maintenance/alarm", { action: "GET" })) as {
        readonly alarms?: readonly object[]
      }
      for (const alarm of alarms) await gateway(etcd, "maintenance/alarm", { ...alarm, action: "DEACTIVATE" })
      return server.create("b")
    })
    assert.deepEqual(await server.names(), ["b"])
  })

  it("was restored from a copy tells watches that they have to begin anew, and forgets what has not been", async () => {
    await using etcd = await new TestEtcd().start()
    await using server = await Server.start({ endpoints: [etcd.endpoint] })
    await server.create("kept")
    const changed = JSON.parse((await server.create("changed")).text) as ConfigMap
    await etcd.kill()
    etcd.copy()
    await etcd.start()
    await server.until(() => server.ask("GET", path))
    const lost = JSON.parse((await server.create("lost")).text) as ConfigMap
    assert.equal((await server.createEvent("a")).code, 201)
    const data = { x: "of a history that is lost" }
    assert.equal((await server.ask("PUT", `${path}/changed`, { ...changed, data })).code, 200)
    for (let i = 0; i < 20; i++) assert.equal((await server.create(`lost-${i}`)).code, 201)
    const stop = new AbortController()
    const { seen, failure } = server.follow(lost.metadata.resourceVersion, stop.signal)
    while (!seen.includes("lost-19")) await sleep(20)
    await etcd.kill()
    etcd.restore()
    await etcd.start()
    const ended = await failure
    assert.equal(ended.code, 410)
    assert.equal(ended.reason, "Expired")
    assert.deepEqual(await server.names(), ["changed", "kept"])
    const present = JSON.parse((await server.ask("GET", `${path}/changed`)).text) as ConfigMap
    assert.deepEqual(present, changed)
    // And who comes back later from what is lost.
    const { failure: late } = server.follow(String(Number(lost.metadata.resourceVersion) + 15), stop.signal)
    assert.equal((await late).code, 410)
    assert.equal((await server.create("next")).code, 201)
    // Its lease was lost, too.
    if ((await server.createEvent("b")).code !== 201) assert.equal((await server.createEvent("b")).code, 201)
    assert.deepEqual(await server.names(), ["changed", "kept", "next"])
    const again = server.follow(present.metadata.resourceVersion, stop.signal)
    while (!again.seen.includes("next")) await sleep(20)
    stop.abort()
    await assert.rejects(again.failure)
  })

  it("was compacted by another server answers 410 to what is from before, and goes on", async () => {
    await using etcd = await new TestEtcd().start()
    await using one = await Server.start({ endpoints: [etcd.endpoint] })
    const old = JSON.parse((await one.create("a")).text) as ConfigMap
    await one.create("b")
    const page = await one.ask("GET", `${path}?limit=1`)
    const { continue: token = "" } = (JSON.parse(page.text) as { metadata: { continue?: string } }).metadata
    for (let i = 0; i < 5; i++) await one.create(`c${i}`)
    await using two = await Server.start({ endpoints: [etcd.endpoint] })
    await using other = await openEtcdStore({ env, endpoints: [etcd.endpoint] })
    await other.compact(other.revision)
    const rest = await two.ask("GET", `${path}?limit=1&continue=${encodeURIComponent(token)}`)
    assert.equal(rest.code, 410)
    assert.equal((JSON.parse(rest.text) as Status).reason, "Expired")
    const stop = new AbortController()
    const { failure } = two.follow(old.metadata.resourceVersion, stop.signal)
    assert.equal((await failure).code, 410)
    assert.equal((await two.create("d")).code, 201)
    assert.equal((await one.ask("GET", `${path}/d`)).code, 200)
  })

  it("is split is asked where most members are: nobody waits for the one that is cut off", async () => {
    await using etcd = await TestEtcdCluster.start(3)
    const leader = await etcd.leader()
    const endpoints = [leader.endpoint, ...etcd.endpoints.filter((one) => one !== leader.endpoint)]
    await using server = await Server.start({ endpoints })
    const first = JSON.parse((await server.create("first")).text) as ConfigMap
    const stop = new AbortController()
    const { seen, failure } = server.follow(first.metadata.resourceVersion, stop.signal)
    await etcd.cutOff(leader)
    const [unknown] = await Promise.all([
      server.create("unknown"),
      server.until(() => server.ask("GET", `${path}/first`)),
    ])
    if (unknown.code !== 201)
      assert.match((JSON.parse(unknown.text) as Status).message!, /^etcdserver: |^rpc error: /)
    await server.until(() => server.create("second"))
    assert.equal((await server.ask("GET", "/readyz/etcd")).code, 200)
    while (!seen.includes("second")) await sleep(20)
    etcd.heal()
    assert.equal((await server.create("third")).code, 201)
    while (!seen.includes("third")) await sleep(20)
    assert.deepEqual(
      seen.filter((name) => name !== "unknown"),
      ["second", "third"],
    )
    stop.abort()
    await assert.rejects(failure)
  })

  it("has other certificates, and another authority, is reached with those that the files have by then", async (t) => {
    const dir = mkdtempSync(join(tmpdir(), "knarr-etcd-tls-"))
    t.after(() => rmSync(dir, { recursive: true }))
    const file = (name: string): string => join(dir, name)
    const renew = (): void => {
      const year = 365 * 86_400_000
      const life = (): { serial: Uint8Array; notBeforeMs: number; notAfterMs: number } => ({
        serial: systemRandom.bytes(16),
        notBeforeMs: env.clock.now() - year,
        notAfterMs: env.clock.now() + year,
      })
      const ca = createCA({ subject: { commonName: "etcd-ca" }, ...life() })
      const write = (name: string, { cert, key }: KeyPair): void => {
        writeFileSync(file(`${name}.crt`), cert)
        writeFileSync(file(`${name}.key`), key)
      }
      write("ca", ca)
      write(
        "member",
        issueCertificate(ca, {
          ...{ ...life(), subject: { commonName: "etcd" }, ipAddresses: ["127.0.0.1"] },
          usages: ["serverAuth", "clientAuth"],
        }),
      )
      write(
        "client",
        issueCertificate(ca, { ...life(), subject: { commonName: "knarr" }, usages: ["clientAuth"] }),
      )
    }
    renew()
    await using etcd = await new TestEtcd([
      ...["--cert-file", file("member.crt"), "--key-file", file("member.key")],
      ...["--client-cert-auth", "--trusted-ca-file", file("ca.crt")],
    ]).start()
    const read = (name: string): Buffer => readFileSync(file(name))
    const tls = (): EtcdTls => ({ ca: read("ca.crt"), cert: read("client.crt"), key: read("client.key") })
    await using server = await Server.start({ endpoints: [etcd.endpoint], tls })
    assert.equal((await server.create("a")).code, 201)
    renew()
    await etcd.kill()
    await etcd.start()
    await server.until(() => server.create("b"))
    assert.deepEqual(await server.names(), ["a", "b"])
  })
  await Promise.all(running)
})
