import assert from "node:assert/strict"
import { it } from "node:test"
import { TokenBucket } from "./token-bucket.ts"
import { VirtualClock } from "./virtual-clock.ts"

it("a bucket gives its burst at once, then a token as often as it fills", async () => {
  const clock = new VirtualClock()
  const bucket = new TokenBucket(clock, 4, 2)
  assert.deepEqual([bucket.take(), bucket.take(), bucket.take(), bucket.take()], [0, 0, 250, 250])
  await clock.advance(100)
  assert.equal(bucket.take(), 150)
  await clock.advance(150)
  assert.deepEqual([bucket.take(), bucket.take()], [0, 250])
  await clock.advance(10_000)
  assert.deepEqual([bucket.take(), bucket.take(), bucket.take()], [0, 0, 250])
  assert.equal(new TokenBucket(clock, 0, 0).take(), Infinity)
})
