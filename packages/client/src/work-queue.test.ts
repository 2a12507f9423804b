import assert from "node:assert/strict"
import { test } from "node:test"
import { Meter, VirtualClock } from "@knarr/base"
import { createWorkQueue } from "./work-queue.ts"

const never = new AbortController().signal

test("a key waits once, is with one worker at a time, and comes again when added meanwhile", async () => {
  using queue = createWorkQueue({ clock: new VirtualClock(), meter: new Meter() }, "test")
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
  using queue = createWorkQueue({ clock, meter: new Meter() }, "test")
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
  using queue = createWorkQueue({ clock, meter: new Meter() }, "test")
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

test("a queue tells its depth, its adds and retries, and how long keys waited and were worked on", async () => {
  const clock = new VirtualClock()
  const meter = new Meter()
  const value = (name: string): number =>
    Number(new RegExp(`^workqueue_${name}(?:\\{name="test"\\})? (.+)$`, "m").exec(meter.text())?.[1])
  const queue = createWorkQueue({ clock, meter }, "test")
  queue.add("a")
  queue.add("a")
  queue.add("b")
  await clock.advance(2000)
  assert.deepEqual([value("depth"), value("adds_total")], [2, 2])
  await queue.get(never)
  await clock.advance(3000)
  queue.add("a")
  assert.equal(value("depth"), 1)
  assert.deepEqual([value("unfinished_work_seconds"), value("longest_running_processor_seconds")], [3, 3])
  queue.done("a")
  queue.addRateLimited("b")
  assert.deepEqual(
    [
      value("adds_total"),
      value("depth"),
      value("retries_total"),
      value("queue_duration_seconds_sum"),
      value("work_duration_seconds_sum"),
      value("unfinished_work_seconds"),
    ],
    [3, 2, 1, 2, 3, 0],
  )
  queue[Symbol.dispose]()
  assert.ok(Number.isNaN(value("depth")), "the queue is gone")
})
