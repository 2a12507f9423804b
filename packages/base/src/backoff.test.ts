import assert from "node:assert/strict"
import { test } from "node:test"
import { Backoff, type BackoffOptions } from "./backoff.ts"
import { seededRandom } from "./random.ts"
import { VirtualClock } from "./virtual-clock.ts"

const cases: readonly (readonly [what: string, options: BackoffOptions, waits: readonly number[]])[] = [
  ["doubles up to its bound", { firstMs: 100, maxMs: 700 }, [100, 200, 400, 700, 700]],
  ["grows by its factor", { firstMs: 10, maxMs: 1000, factor: 5 }, [10, 50, 250, 1000]],
  ["stays where it is when the factor is one", { firstMs: 10, maxMs: 10, factor: 1 }, [10, 10]],
]
for (const [what, options, waits] of cases)
  test(`a back-off ${what}, and begins again when all is well`, () => {
    const backoff = new Backoff(options)
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(
        waits.map(() => backoff.next()),
        waits,
      )
      backoff.reset()
    }
  })

test("jitter makes waits longer by its share, and not what they grow from", () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 400, jitter: { share: 0.5, random: seededRandom(1) } })
  for (const least of [100, 200, 400, 400]) {
    const ms = backoff.next()
    assert.ok(ms >= least && ms < least * 1.5, `${ms} ms`)
  }
})

test("a wait ends with its time, or with its signal", async () => {
  const clock = new VirtualClock()
  const backoff = new Backoff({ firstMs: 100, maxMs: 1000 })
  const stop = new AbortController()
  let over = 0
  const first = backoff.wait(clock, stop.signal).then(() => over++)
  await clock.advance(99)
  assert.equal(over, 0)
  await clock.advance(1)
  await first
  assert.equal(over, 1)
  const second = backoff.wait(clock, stop.signal)
  stop.abort(new Error("stop"))
  await assert.rejects(second, /stop/)
})
