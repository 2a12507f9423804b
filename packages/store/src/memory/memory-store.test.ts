import assert from "node:assert/strict"
import { it } from "node:test"
import { VirtualClock, seededRandom, silentLogger, Meter } from "@knarr/base"
import { storeConformance } from "../store.conformance.ts"
import { createMemoryStore } from "./memory-store.ts"
import { SortedMap } from "./sorted-map.ts"

storeConformance("memory store", {
  async open({ watchBuffer }) {
    const clock = new VirtualClock()
    const store = createMemoryStore({
      env: { clock, random: seededRandom(1), log: silentLogger, meter: new Meter() },
      watchBuffer,
    })
    return {
      store,
      advance: (ms) => clock.advance(ms),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    }
  },
})

it("SortedMap agrees with a sorted array under random changes", () => {
  const random = seededRandom(7)
  const map = new SortedMap<number>()
  const model = new Map<string, number>()
  for (let i = 0; i < 20_000; i++) {
    const key = `k${Math.floor(random.next() * 3000)}`
    if (random.next() < 0.4) assert.equal(map.delete(key), model.delete(key))
    else {
      map.set(key, i)
      model.set(key, i)
    }
    assert.equal(map.size, model.size)
  }
  const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
  assert.deepEqual([...map.entries("")], sorted)
  for (const from of ["k15", "k2999", "a", "z"]) {
    assert.deepEqual(
      [...map.entries(from)],
      sorted.filter(([key]) => key >= from),
    )
  }
  for (const [key, value] of model) assert.equal(map.get(key), value)
})
