/**
 * Two servers on one etcd, of one member and of three: any one process is killed under load, and nothing that was acknowledged is
 * lost, watches go on, controllers and scheduler run on in the other server. `KNARR_CRASH_ROUNDS` kills everything as often.
 */
import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import { configMap, deployment, lease, replicaSet, type ConfigMap, type Deployment } from "@knarr/api"
import { isNotFound } from "@knarr/apimachinery"
import { createRestClient, createTransport, type Client, type Transport } from "@knarr/client"
import { freePorts, TestEtcd, TestEtcdCluster } from "@knarr/testkit"

/** The bundle: it starts in a third of the sources' time. */
const program = join(import.meta.dirname, "../../bin/knarr")
const rounds = Number(process.env["KNARR_CRASH_ROUNDS"] ?? 1)
const namespace = "default"
/** A request that takes longer is asked again, at the other server. */
const requestMs = 30_000
const pollMs = 25
/** Acknowledged after each kill before the next one, so that there was load. */
const progress = 20
/** How often each object is changed after its creation. */
const changes = 3
const shared = ["ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key"]

/** A `knarr server` with its folder. */
class Server implements Disposable {
  readonly #dir: string
  #port = 0
  #child: ChildProcess | undefined
  #transport: Transport | undefined

  constructor(home: string, name: string) {
    this.#dir = join(home, name)
  }

  get pki(): string {
    return join(this.#dir, "pki")
  }

  async start(endpoints: readonly string[]): Promise<void> {
    if (this.#port === 0) {
      const [port = 0, registryPort = 0] = await freePorts(2)
      this.#port = port
      mkdirSync(this.#dir, { recursive: true })
      writeFileSync(
        join(this.#dir, "cluster.json"),
        JSON.stringify({
          ...{ name: "a", index: 0, agents: 0, hasNode: false, port, registryPort },
          apiServer: { "etcd-servers": endpoints.join() },
        }),
      )
    }
    const log = openSync(join(this.#dir, "log"), "a")
    // The script becomes the server.
    this.#child = spawn(program, ["server", "--cluster-dir", this.#dir], {
      ...{ stdio: ["ignore", log, log], env: { ...process.env, HOME: this.#dir } },
    })
    closeSync(log)
  }

  /** Resolves when it serves. */
  async ready(): Promise<void> {
    for (;;) {
      const { exitCode } = this.#child!
      if (exitCode !== null) throw new Error(`The server ended with code ${exitCode}:\n${this.log}`)
      const ready = existsSync(join(this.pki, "admin.crt")) && (await this.#isReady())
      if (ready) return
      await sleep(pollMs)
    }
  }

  async #isReady(): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(requestMs)
      const { status, buffer } = await this.transport.request({ method: "GET", path: "/readyz", signal })
      await buffer()
      return status === 200
    } catch {
      return false
    }
  }

  get log(): string {
    return readFileSync(join(this.#dir, "log"), "utf8")
  }

  get transport(): Transport {
    const read = (name: string): string => readFileSync(join(this.pki, name), "utf8")
    return (this.#transport ??= createTransport({
      server: `https://127.0.0.1:${this.#port}`,
      tls: () => ({ ca: read("ca.crt"), cert: read("admin.crt"), key: read("admin.key") }),
    }))
  }

  get client(): Client {
    return createRestClient({ transport: this.transport })
  }

  async kill(): Promise<void> {
    const ended = once(this.#child!, "exit")
    this.#child!.kill("SIGKILL")
    await ended
  }

  [Symbol.dispose](): void {
    this.#transport?.[Symbol.dispose]()
    this.#child?.kill("SIGKILL")
  }
}

/** Asks one server after the other until one answers; what is refused for good is thrown. */
class EitherServer {
  readonly #servers: readonly Server[]
  #at: number

  constructor(servers: readonly Server[], at: number) {
    this.#servers = servers
    this.#at = at
  }

  get now(): Client {
    return this.#servers[this.#at % this.#servers.length]!.client
  }

  /** After a failure. */
  other(): void {
    this.#at++
  }
}

interface Write {
  readonly name: string
  readonly value: number
}

/** Writers, what they were told is written, and watchers, what they saw. */
class Load {
  readonly acknowledged = new Map<string, Write>()
  readonly #stop = new AbortController()
  readonly #writers: Promise<void>[]
  readonly #servers: readonly Server[]

  constructor(servers: readonly Server[]) {
    this.#servers = servers
    this.#writers = Array.from({ length: 4 }, (_, i) => this.#write(`w${i}`, new EitherServer(servers, i)))
  }

  /** Resolves when so much more has been acknowledged. */
  async progress(): Promise<void> {
    const wanted = this.acknowledged.size + progress
    while (this.acknowledged.size < wanted) await sleep(pollMs)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#writers)
  }

  async #write(writer: string, server: EitherServer): Promise<void> {
    for (let n = 0; !this.#stop.signal.aborted; n++) {
      const name = `${writer}-${n}`
      let current: ConfigMap | undefined
      // Load, and time for everybody else on a small machine.
      await sleep(4 * pollMs)
      for (let value = 0; value <= changes; value++)
        current = await this.#reach(server, { name, value }, current)
    }
  }

  /** Resolves when the object has the value: this write was acknowledged, or an earlier try is found to have happened. */
  async #reach(
    server: EitherServer,
    write: Write,
    before: ConfigMap | undefined,
  ): Promise<ConfigMap | undefined> {
    for (let current = before; ;) {
      const data = { value: String(write.value) }
      const signal = AbortSignal.timeout(requestMs)
      try {
        const { now } = server
        const written = await (current
          ? now.update(configMap, { ...current, data }, { signal })
          : now.create(configMap, { metadata: { namespace, name: write.name }, data }, { signal }))
        this.acknowledged.set(written.metadata.resourceVersion, write)
        return written
      } catch {
        server.other()
        // Refused, or nobody knows: what there is says it.
        current = await this.#present(server, write.name)
        if (current?.data?.["value"] === data.value) return current
      }
    }
  }

  async #present(server: EitherServer, name: string): Promise<ConfigMap | undefined> {
    for (;;) {
      try {
        return await server.now.get(
          configMap,
          { namespace, name },
          { signal: AbortSignal.timeout(requestMs) },
        )
      } catch (thrown) {
        if (isNotFound(thrown)) return undefined
        server.other()
        await sleep(pollMs)
      }
    }
  }

  /** Watches until it has seen `last`, going on at the other server, from where it was, whenever the watch ends. */
  async watch(
    at: number,
    from: string,
    last: string,
  ): Promise<readonly (readonly [revision: string, Write])[]> {
    const server = new EitherServer(this.#servers, at)
    const seen: (readonly [string, Write])[] = []
    for (let reached = from; ;) {
      try {
        const watched = server.now.watch(configMap, {
          ...{ namespace, resourceVersion: reached },
          signal: AbortSignal.timeout(10 * requestMs),
        })
        for await (const event of watched) {
          // It would have to begin anew: nothing here is older than what the stores keep.
          if (event.type === "ERROR") throw new LostWatch(JSON.stringify(event.object))
          const { name, resourceVersion } = event.object.metadata
          reached = resourceVersion
          // Controllers write here, too.
          if (!name.startsWith("w") && name !== last) continue
          seen.push([reached, { name, value: Number(event.object.data?.["value"]) }])
          if (name === last) return seen
        }
      } catch (thrown) {
        if (thrown instanceof LostWatch) throw thrown
      }
      server.other()
      await sleep(pollMs)
    }
  }
}

class LostWatch extends Error {}

/** An etcd, and what of it is killed in turn. */
interface Etcd extends AsyncDisposable {
  readonly endpoints: readonly string[]
  victims(): Promise<readonly TestEtcd[]>
}

const etcds: readonly { readonly name: string; start(): Promise<Etcd> }[] = [
  {
    name: "of one member",
    async start() {
      const etcd = await new TestEtcd().start()
      return {
        endpoints: [etcd.endpoint],
        victims: async () => [etcd],
        [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
      }
    },
  },
  {
    name: "of three members",
    async start() {
      const etcd = await TestEtcdCluster.start(3)
      return {
        endpoints: etcd.endpoints,
        async victims() {
          const leader = await etcd.leader()
          return [leader, etcd.members.find((member) => member !== leader)!]
        },
        [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
      }
    },
  },
]

const elected = ["kube-controller-manager", "kube-scheduler"]

async function holders(client: Client): Promise<readonly (string | undefined)[]> {
  return Promise.all(
    elected.map(async (name) => {
      try {
        const found = await client.get(lease, { namespace: "kube-system", name })
        return found.spec?.holderIdentity ?? undefined
      } catch {
        return undefined
      }
    }),
  )
}

// They wait most of the time: all at once.
test("Two servers on an etcd", { concurrency: true }, async (suite) => {
  const running = etcds.map(({ name, start }) =>
    suite.test(`${name} lose nothing, whichever process is killed`, async (t) => {
      const home = mkdtempSync(join(tmpdir(), "knarr-servers-"))
      t.after(() => rmSync(home, { recursive: true, force: true }))
      await using etcd = await start()
      using one = new Server(home, "one")
      using two = new Server(home, "two")
      await one.start(etcd.endpoints)
      await one.ready()
      mkdirSync(two.pki, { recursive: true })
      for (const file of shared) copyFileSync(join(one.pki, file), join(two.pki, file))
      let led = await holders(one.client)
      while (led.includes(undefined)) led = await holders(one.client)
      await two.start(etcd.endpoints)
      await two.ready()

      const servers = [one, two]
      const { resourceVersion } = (await two.client.list(configMap, { namespace })).metadata
      const load = new Load(servers)
      const watches = Promise.all([0, 1, 1].map((at) => load.watch(at, resourceVersion!, "last")))
      await load.progress()
      for (let round = 0; round < rounds; round++) {
        // The first one leads: the other takes over when its Leases are over, while everything else is killed.
        for (const server of servers) {
          await server.kill()
          await load.progress()
          await server.start(etcd.endpoints)
          await server.ready()
          await load.progress()
        }
        for (const victim of await etcd.victims()) {
          await victim.kill()
          if (etcd.endpoints.length > 1) await load.progress()
          await victim.start()
          await load.progress()
        }
      }
      let leads = await holders(two.client)
      while (leads.some((holder, i) => holder === undefined || holder === led[i])) {
        await sleep(pollMs)
        leads = await holders(two.client)
      }
      await load.stop()
      const last = await one.client.create(configMap, { metadata: { namespace, name: "last" } })
      const present = await Promise.all(
        servers.map(async ({ client }) =>
          (await client.list(configMap, { namespace })).items.filter((item) =>
            item.metadata.name.startsWith("w"),
          ),
        ),
      )
      assert.deepEqual(present[0], present[1])
      // Each value of each object, once: what was not acknowledged may have happened, too.
      const expected = new Map(
        present[0]!.map((item) => [item.metadata.name, Array.from({ length: changes + 1 }, (_, i) => i)]),
      )
      for (const seen of await watches) {
        assert.equal(seen.at(-1)![0], last.metadata.resourceVersion)
        const revisions = seen.map(([revision]) => Number(revision))
        assert.deepEqual(
          revisions,
          [...new Set(revisions)].toSorted((a, b) => a - b),
        )
        const told = new Map(seen)
        for (const [revision, write] of load.acknowledged) assert.deepEqual(told.get(revision), write)
        const values = new Map<string, number[]>()
        for (const [, write] of seen.slice(0, -1))
          values.set(write.name, [...(values.get(write.name) ?? []), write.value])
        assert.deepEqual(values, expected)
      }
      // And the new leader works.
      const labels = { app: "a" }
      await two.client.create(deployment, {
        metadata: { namespace, name: "a" },
        spec: {
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } },
        },
      } as unknown as Deployment)
      const sets = () => one.client.list(replicaSet, { namespace, labelSelector: "app=a" })
      while ((await sets()).items.length === 0) await sleep(pollMs)
    }),
  )
  await Promise.all(running)
})
