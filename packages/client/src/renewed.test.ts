import assert from "node:assert/strict"
import { test } from "node:test"
import { VirtualClock } from "@knarr/base"
import { renewed } from "./renewed.ts"

test("what is read is read again after a minute, and a failure leaves what there was", async () => {
  const clock = new VirtualClock()
  let file: string | undefined = "one"
  let readings = 0
  const value = renewed(clock, () => {
    readings++
    if (file === undefined) throw new Error("no such file")
    return file
  })
  file = "two"
  await clock.advance(59_999)
  assert.deepEqual([value(), value(), readings], ["one", "one", 1])
  await clock.advance(1)
  assert.deepEqual([value(), value(), readings], ["two", "two", 2])
  file = undefined
  await clock.advance(60_000)
  assert.deepEqual([value(), readings], ["two", 3])
})

test("what cannot be read at first is an error", () => {
  assert.throws(
    () =>
      renewed(new VirtualClock(), () => {
        throw new Error("no such file")
      }),
    /no such file/,
  )
})
