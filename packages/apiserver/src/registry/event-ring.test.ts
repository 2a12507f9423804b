import assert from "node:assert/strict"
import { test } from "node:test"
import type { CacheEvent } from "./cache-event.ts"
import { EventRing, HistoryBudget } from "./event-ring.ts"

const event = (revision: number, bytes: number): CacheEvent =>
  ({ revision, object: { bytes: Buffer.alloc(bytes) }, previous: undefined }) as unknown as CacheEvent
const revisions = (events: readonly CacheEvent[]): number[] => events.map(({ revision }) => revision)
const limits = { events: 1000, bytes: 100_000 }

test("what the store forgets is forgotten, and who had seen it all by then missed nothing", () => {
  const budget = new HistoryBudget(Infinity)
  const ring = new EventRing(limits, budget, 1)
  for (const revision of [5, 9, 12]) ring.push(event(revision, 10))
  ring.forget(4)
  assert.equal(ring.since, 1)
  ring.forget(10)
  assert.equal(ring.since, 9)
  assert.deepEqual(revisions(ring.after(9)), [12])
  ring.forget(100)
  assert.deepEqual([ring.since, ring.newest, ring.bytes, budget.bytes], [12, 12, 0, 0])
  ring.push(event(101, 10))
  assert.deepEqual(revisions(ring.after(12)), [101])
  ring.clear(200)
  assert.deepEqual([ring.since, ring.newest, budget.bytes], [200, 200, 0])
})

test("all resources together hold no more than their budget, and each a little whatever the others do", () => {
  const budget = new HistoryBudget(50_000)
  const quiet = new EventRing(limits, budget, 0)
  const rings = [0, 1, 2].map(() => new EventRing(limits, budget, 0))
  for (let revision = 1; revision <= 50; revision++) quiet.push(event(revision, 100))
  for (let revision = 51; revision <= 3000; revision++) rings[revision % 3]!.push(event(revision, 100))
  assert.deepEqual([quiet.since, quiet.after(0).length], [0, 50])
  assert.ok(budget.bytes <= 50_000, `${budget.bytes}`)
  assert.equal(
    budget.bytes,
    [quiet, ...rings].reduce((sum, ring) => sum + ring.bytes, 0),
  )
  for (const ring of rings) assert.ok(ring.after(ring.since).length >= 64)
})
