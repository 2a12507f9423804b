import assert from "node:assert/strict"
import { test } from "node:test"
import { VirtualClock } from "@knarr/base"
import { Deadlines } from "./deadlines.ts"

test("Deadlines pass each at its time, and not when they were disposed before", async () => {
  const clock = new VirtualClock()
  const deadlines = new Deadlines(clock, 1000)
  const passed: string[] = []
  const set = (name: string): Disposable =>
    deadlines.set(clock.monotonic(), () => passed.push(`${name} ${clock.now()}`))
  const begun = clock.now()
  set("first")
  await clock.advance(300)
  const second = set("second")
  set("third")
  await clock.advance(600)
  second[Symbol.dispose]()
  await clock.advance(10_000)
  set("fourth")
  const fifth = set("fifth")
  await clock.advance(999)
  fifth[Symbol.dispose]()
  await clock.advance(1)
  const times = passed.map((line) => line.replace(/\d+$/, (text) => String(Number(text) - begun)))
  assert.deepEqual(times, ["first 1000", "third 1300", "fourth 11900"])
})

test("A deadline that another one's end disposes does not pass, and one that is set then does", async () => {
  const clock = new VirtualClock()
  const deadlines = new Deadlines(clock, 1000)
  const passed: string[] = []
  deadlines.set(clock.monotonic(), () => {
    passed.push("first")
    second[Symbol.dispose]()
    deadlines.set(clock.monotonic(), () => passed.push("third"))
  })
  const second = deadlines.set(clock.monotonic(), () => passed.push("second"))
  await clock.advance(1000)
  assert.deepEqual(passed, ["first"])
  await clock.advance(1000)
  assert.deepEqual(passed, ["first", "third"])
})

test("One timer serves all deadlines, and none is left when they are all disposed", () => {
  const clock = new VirtualClock()
  let timers = 0
  const deadlines = new Deadlines(
    {
      monotonic: () => clock.monotonic(),
      timer(ms, fn) {
        const timer = clock.timer(ms, fn)
        timers++
        return {
          [Symbol.dispose]() {
            timers--
            timer[Symbol.dispose]()
          },
        }
      },
    },
    1000,
  )
  const all = [1, 2, 3].map(() => deadlines.set(clock.monotonic(), () => assert.fail("it passed")))
  assert.equal(timers, 1)
  for (const one of all) one[Symbol.dispose]()
  assert.equal(timers, 0)
})
