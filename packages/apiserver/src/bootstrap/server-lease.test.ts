import assert from "node:assert/strict"
import { test } from "node:test"
import { virtualEnv } from "@knarr/testkit"
import { createMemoryStore } from "@knarr/store"
import { ServerLease } from "./server-lease.ts"

test("servers of a store know of one another, until one stops or is gone for its time", async () => {
  const env = virtualEnv()
  const { clock } = env
  await using store = createMemoryStore({ env })
  const servers = ["10.0.0.2", "10.0.0.1", "10.0.0.3"].map((address) => {
    const lease = new ServerLease(store, address)
    const stop = new AbortController()
    let seen: readonly string[] = []
    const start = async (): Promise<void> => {
      seen = await lease.renew()
      void lease.keep(env, async (addresses) => void (seen = addresses), stop.signal).catch(() => {})
    }
    return { start, stop, seen: () => seen.join(" "), lease }
  })
  const [first, second, third] = servers
  await first!.start()
  await second!.start()
  assert.deepEqual([first!.seen(), second!.seen()], ["10.0.0.2", "10.0.0.1 10.0.0.2"])
  // It renews once and is not heard of again.
  await third!.lease.renew()
  await clock.advance(10_000)
  assert.equal(first!.seen(), "10.0.0.1 10.0.0.2 10.0.0.3")
  await clock.advance(20_000)
  assert.equal(first!.seen(), "10.0.0.1 10.0.0.2")
  second!.stop.abort(new Error("stopped"))
  await clock.advance(10_000)
  assert.equal(first!.seen(), "10.0.0.2")
  first!.stop.abort(new Error("stopped"))
  await clock.advance(1)
  assert.equal((await store.range({ prefix: "/registry/" })).count, 0)
})
