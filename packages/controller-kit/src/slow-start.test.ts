import assert from "node:assert/strict"
import { test } from "node:test"
import { slowStart } from "./slow-start.ts"

test("slowStart doubles its batches", async () => {
  const seen: number[] = []
  assert.deepEqual(await slowStart(6, async (i) => void seen.push(i)), { successes: 6 })
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5])
})

test("slowStart stops after the batch that failed", async () => {
  let calls = 0
  const { successes, error } = await slowStart(100, async (i) => {
    calls++
    if (i === 4) throw new Error("quota")
  })
  assert.equal(calls, 7)
  assert.equal(successes, 6)
  assert.equal((error as Error).message, "quota")
})

test("slowStart does nothing for nothing", async () => {
  assert.deepEqual(await slowStart(0, async () => assert.fail()), { successes: 0 })
})
