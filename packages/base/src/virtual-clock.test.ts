import assert from "node:assert/strict"
import { test } from "node:test"
import { TimeoutError } from "./errors.ts"
import { VirtualClock } from "./virtual-clock.ts"

test("timers fire in order of time, then of setting, and can be taken back", async () => {
  const clock = new VirtualClock()
  const log: number[] = []
  for (const ms of [30, 10, 20, 10, 0]) clock.timer(ms, () => log.push(ms))
  clock.timer(15, () => log.push(15))[Symbol.dispose]()
  await clock.advance(25)
  assert.deepEqual(log, [0, 10, 10, 20])
  assert.equal(clock.monotonic(), 25)
})

test("virtual time stands still while something outside is at work, until its limit", async () => {
  const clock = new VirtualClock()
  let fired = 0
  clock.timer(10, () => fired++)
  const answer = clock.hold(60_000)
  const other = clock.hold(60_000)
  const advanced = clock.advance(20)
  await new Promise((resolve) => setImmediate(resolve))
  answer[Symbol.dispose]()
  answer[Symbol.dispose]()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(fired, 0)
  other[Symbol.dispose]()
  await advanced
  assert.equal(fired, 1)
  using _late = clock.hold(1)
  await clock.advance(20)
})

test("the time of day can be set, and what waits or was measured stays as it is", async () => {
  const clock = new VirtualClock(1_000_000)
  let fired = 0
  clock.timer(10, () => fired++)
  clock.jump(3_600_000)
  assert.deepEqual([clock.now(), clock.monotonic()], [4_600_000, 0])
  await clock.advance(9)
  assert.equal(fired, 0)
  clock.jump(-4_000_000)
  await clock.advance(1)
  assert.deepEqual([clock.now(), clock.monotonic(), fired], [600_010, 10, 1])
})

test("runUntil lets promises settle between timers and gives up in virtual time", async () => {
  const clock = new VirtualClock()
  const signal = new AbortController().signal
  let days = 0
  const live = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(86_400_000, signal)
      days++
    }
  }
  void live()
  await clock.runUntil(() => days === 365, { limitMs: 400 * 86_400_000, what: "a year" })
  assert.equal(days, 365)
  await assert.rejects(
    clock.runUntil(() => false, { limitMs: 1000, what: "nothing" }),
    TimeoutError,
  )
})
