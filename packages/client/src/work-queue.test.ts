import assert from "node:assert/strict"
import { test } from "node:test"
import { VirtualClock } from "@knarr/base"
import { createWorkQueue } from "./work-queue.ts"

const never = new AbortController().signal

test("a key waits once, is with one worker at a time, and comes again when added meanwhile", async () => {
  using queue = createWorkQueue({ clock: new VirtualClock() })
  queue.add("a")
  queue.add("b")
  queue.add("a")
  assert.equal(queue.length, 2)
  assert.equal(await queue.get(never), "a")
  queue.add("a")
  assert.equal(queue.length, 1)
  assert.equal(await queue.get(never), "b")
  queue.done("a")
  assert.equal(await queue.get(never), "a")
})

test("back-off doubles from 5 ms and is forgotten", async () => {
  const clock = new VirtualClock()
  using queue = createWorkQueue({ clock })
  const delays: number[] = []
  for (let i = 0; i < 4; i++) {
    const start = clock.monotonic()
    queue.addRateLimited("a")
    await clock.runUntil(() => queue.length === 1, { limitMs: 10_000, what: "the key" })
    delays.push(clock.monotonic() - start)
    queue.done(await queue.get(never))
  }
  assert.deepEqual(delays, [5, 10, 20, 40])
  assert.equal(queue.failures("a"), 4)
  queue.forget("a")
  assert.equal(queue.failures("a"), 0)
})

test("the earliest of several delays wins, and a wait can be cancelled", async () => {
  const clock = new VirtualClock()
  using queue = createWorkQueue({ clock })
  queue.addAfter("a", 1000)
  queue.addAfter("a", 10)
  queue.addAfter("a", 500)
  await clock.advance(11)
  assert.equal(queue.length, 1)
  await queue.get(never)
  const stop = new AbortController()
  const waiting = queue.get(stop.signal)
  stop.abort(new Error("enough"))
  await assert.rejects(waiting, /enough/)
  await clock.advance(2000)
  assert.equal(queue.length, 0)
})
