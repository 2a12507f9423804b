import assert from "node:assert/strict"
import { test } from "node:test"
import { lease } from "@knarr/api"
import { runWhileLeader, type Client } from "@knarr/client"
import { startControlPlane } from "knarr/testing"

test("a leader whose renewals are not answered stops before another one begins", async () => {
  await using cluster = await startControlPlane({ seed: 4 })
  const { client, clock, env } = cluster
  const leading = new Set<string>()
  const stop = new AbortController()
  let hangs = false
  const candidate = (identity: string, of: Client): void => {
    const options = { client: of, env, namespace: "kube-system", name: "test", identity }
    cluster.scope.run(identity, () =>
      runWhileLeader(options, stop.signal, async (signal) => {
        leading.add(identity)
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))
        leading.delete(identity)
      }).catch(() => {}),
    )
  }
  const silent = new Proxy(client, {
    get: (target, key) => {
      if (hangs && key === "get") return () => new Promise(() => {})
      const value = Reflect.get(target, key) as unknown
      return typeof value === "function" ? (value.bind(target) as unknown) : value
    },
  })
  candidate("silent", silent)
  await clock!.runUntil(() => leading.has("silent"), { limitMs: 5_000, what: "the first leader" })
  candidate("other", client)
  await clock!.advance(30_000)
  assert.deepEqual([...leading], ["silent"])
  hangs = true
  await clock!.advance(10_100)
  assert.deepEqual([...leading], [])
  await clock!.runUntil(() => leading.size > 0, { limitMs: 20_000, what: "the second leader" })
  assert.deepEqual([...leading], ["other"])
  stop.abort()
})

test("one of two candidates leads; the other takes over at once after a stop, and after the lease's time without one", async () => {
  await using cluster = await startControlPlane({ seed: 3 })
  const { client, clock, env } = cluster
  const leading = new Set<string>()
  const history: string[] = []
  const candidate = (identity: string): { stop(): void; vanish(): void } => {
    const stop = new AbortController()
    let gone = false
    // A candidate that vanishes can write no more, as a process that was killed.
    const mine = new Proxy(client, {
      get: (target, key) => {
        if (gone && (key === "update" || key === "get")) return () => Promise.reject(new Error("unreachable"))
        const value = Reflect.get(target, key) as unknown
        return typeof value === "function" ? (value.bind(target) as unknown) : value
      },
    })
    cluster.scope.run(identity, async () => {
      await runWhileLeader(
        { client: mine, env, namespace: "kube-system", name: "test", identity },
        stop.signal,
        async (signal) => {
          leading.add(identity)
          history.push(identity)
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))
          leading.delete(identity)
        },
      ).catch(() => {})
    })
    return { stop: () => stop.abort(), vanish: () => void (gone = true) }
  }
  const first = candidate("a")
  await clock!.runUntil(() => leading.has("a"), { limitMs: 5_000, what: "the first leader" })
  const second = candidate("b")
  await clock!.advance(60_000)
  assert.deepEqual([...leading], ["a"])

  first.stop()
  await clock!.runUntil(() => leading.has("b"), { limitMs: 5_000, what: "the second leader" })
  assert.deepEqual([...leading], ["b"])

  const third = candidate("c")
  await clock!.advance(1_000)
  second.vanish()
  await clock!.advance(10_000)
  assert.equal(leading.has("c"), false)
  await clock!.runUntil(() => leading.has("c"), { limitMs: 20_000, what: "the third leader" })
  const held = await client.get(lease, { namespace: "kube-system", name: "test" })
  assert.equal(held.spec?.holderIdentity, "c")
  assert.equal(held.spec?.leaseTransitions, 2)
  assert.deepEqual(history, ["a", "b", "c"])
  third.stop()
})
