import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { closeSync, openSync, readdirSync } from "node:fs"
import { createSocket } from "node:dgram"
import { test } from "node:test"
import packet from "dns-packet"
import { Scope, VirtualClock, systemClock } from "@knarr/base"
import { systemEnv } from "@knarr/testkit"
import type { ClusterZone } from "./cluster-zone.ts"
import { FairSlots, RateShares } from "./fair-slots.ts"
import { createForwarder, type Forwarder } from "./forward.ts"
import { Resolver } from "./resolver.ts"

const env = systemEnv()
const never = new AbortController().signal

function question(name: string): Buffer {
  return packet.encode({ type: "query", id: 4711, flags: 0x100, questions: [{ type: "A", name }] })
}

test("Slots are shared by turns, waiting is bounded, and who stops waiting leaves its place", async () => {
  const slots = new FairSlots({ total: 4, perSource: 3, waitingPerSource: 3, waiting: 6 })
  const held: Disposable[] = []
  const order: string[] = []
  const take = (source: string, signal = never): Promise<void> =>
    slots.acquire(source, signal).then((slot) => {
      order.push(slot ? source : `${source} refused`)
      if (slot) held.push(slot)
    })
  const leaving = new AbortController()
  await Promise.all(["a", "a", "a"].map((source) => take(source)))
  const waiting = ["a", "a", "a", "a"].map((source) => take(source))
  await take("b")
  const gone = take("b", leaving.signal)
  waiting.push(take("c"), take("d"))
  await Promise.resolve()
  assert.deepEqual(order, ["a", "a", "a", "a refused", "b"])
  assert.equal(slots.active, 4)
  leaving.abort(new Error("left"))
  await assert.rejects(gone, /left/)
  order.length = 0
  for (let i = 0; i < 2; i++) {
    held.shift()![Symbol.dispose]()
    await new Promise((resolve) => setImmediate(resolve))
  }
  // The one with its share waits; each other is served once before it.
  assert.deepEqual(order.slice(-2).sort(), ["a", "c"])
  while (held.length > 0) {
    held.shift()![Symbol.dispose]()
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(slots.active, 0)
  await Promise.all(waiting)
})

test("A source has its rate, whatever others ask, and only so many are remembered", () => {
  const clock = new VirtualClock()
  const shares = new RateShares(clock, { perSecond: 3, sources: 2 })
  const taken = (source: string): number => [1, 2, 3, 4, 5].filter(() => shares.take(source)).length
  assert.equal(taken("a"), 3)
  assert.equal(taken("b"), 3)
  assert.equal(taken("a"), 0)
  assert.equal(taken("c"), 3)
})

/** A resolver of the world; undefined: it says nothing. */
async function startWorld(scope: Scope, answers: boolean): Promise<string> {
  const socket = createSocket("udp4")
  socket.on("message", (message, from) => {
    if (!answers) return
    const reply = Buffer.from(message)
    reply[2] = reply[2]! | 0x80
    socket.send(reply, from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve))
  scope.defer(() => void socket.close())
  return `127.0.0.1:${socket.address().port}`
}

test("A flood of questions opens some tens of sockets, is refused in bounds, and leaves others their share", async () => {
  await using scope = new Scope("test")
  const clock = systemClock
  const forwarder = scope.use(createForwarder([await startWorld(scope, false)], env))
  const sockets = (): number => readdirSync("/proc/self/fd").length
  const before = sockets()
  let refused = 0
  const end = new AbortController()
  const flood = Array.from({ length: 30_000 }, (_, i) =>
    forwarder
      .ask(question(`x${i}.example.com`), "udp", `10.244.0.${i % 3}`, end.signal)
      .catch(() => refused++),
  )
  await clock.sleep(100, never)
  assert.ok(sockets() - before <= 64, `${sockets() - before} sockets`)
  // Three sources keep their shares busy and waiting; the rest was refused at once.
  assert.equal(refused, 30_000 - 3 * 256)
  end.abort(new Error("over"))
  await Promise.all(flood)
  const honest = scope.use(createForwarder([await startWorld(scope, true)], env))
  const names = Array.from({ length: 100 }, (_, i) => `y${i}.example.com`)
  const replies = await Promise.all(
    names.map((name) => honest.ask(question(name), "udp", "10.244.0.9", never)),
  )
  assert.deepEqual(
    replies.map((reply) => [packet.decode(reply).id, packet.decode(reply).questions![0]!.name]),
    names.map((name) => [4711, name]),
  )
})

const nowhere = { answer: () => undefined } as unknown as ClusterZone

/** What a client hears of a name outside. */
async function rcodeOf(forwarder: Forwarder, transport: "udp" | "tcp"): Promise<number> {
  const resolver = new Resolver(nowhere, forwarder, env, never)
  const answer = await resolver.answer(question("example.com"), transport, "10.244.0.2")
  return answer![3]! & 0xf
}

test("A question that cannot be forwarded is SERVFAIL, whatever goes wrong, and never an exception", async () => {
  const servers: string[][] = [[], ["127.0.0.1:1"], ["0.0.0.0:0"], ["255.255.255.255"]]
  for (const server of servers) {
    using forwarder = createForwarder(server, env)
    for (const transport of ["udp", "tcp"] as const)
      assert.equal(await rcodeOf(forwarder, transport), 2, `${server[0]} ${transport}`)
  }
  const thrower = { ask: () => Promise.reject(new Error("thrown by the forwarder")) }
  assert.equal(await rcodeOf(thrower, "udp"), 2)
  const zone = {
    answer: () => {
      throw new Error("thrown by the zone")
    },
  } as unknown as ClusterZone
  const answer = new Resolver(zone, thrower, env, never).answer(question("a.svc.cluster.local"), "udp", "x")
  assert.equal(((await answer) as Buffer)[3]! & 0xf, 2)
})

const inside = process.env["KNARR_TEST_NETNS"] === "1"
const able = process.getuid?.() === 0 && spawnSync("unshare", ["--version"]).status === 0

test(
  "Without a route out, and without descriptors, it is SERVFAIL too",
  {
    skip: inside || able ? false : "needs root and unshare",
    timeout: 60_000,
  },
  async () => {
    if (inside) {
      for (const server of ["192.0.2.1", "127.0.0.1:53", "fd00::1"]) {
        using forwarder = createForwarder([server], env)
        for (const transport of ["udp", "tcp"] as const)
          assert.equal(await rcodeOf(forwarder, transport), 2, `${server} ${transport}`)
      }
      using forwarder = createForwarder(["127.0.0.1:53"], env)
      const open: number[] = []
      try {
        for (;;) open.push(openSync("/dev/null", "r"))
      } catch (thrown) {
        assert.equal((thrown as NodeJS.ErrnoException).code, "EMFILE")
      }
      const codes = [await rcodeOf(forwarder, "udp"), await rcodeOf(forwarder, "tcp")]
      for (const fd of open) closeSync(fd)
      assert.deepEqual(codes, [2, 2])
      return
    }
    const { NODE_TEST_CONTEXT: _, ...rest } = process.env
    const self = `"${process.execPath}" --test-reporter=tap --test-name-pattern="^Without" "${import.meta.filename}"`
    // In a namespace where not even the loopback is up.
    const result = spawnSync("unshare", ["--net", "bash", "-c", `ulimit -n 256; ${self}`], {
      encoding: "utf8",
      env: { ...rest, KNARR_TEST_NETNS: "1" },
    })
    assert.equal(result.status, 0, `${result.stdout}\n${result.stderr}`)
    assert.match(result.stdout, /\n# pass 1\n/)
  },
)
