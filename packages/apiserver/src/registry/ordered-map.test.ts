import assert from "node:assert/strict"
import { test } from "node:test"
import { seededRandom, randomInt } from "@knarr/base"
import { OrderedMap } from "./ordered-map.ts"

test("an OrderedMap agrees with a sorted Map", () => {
  const random = seededRandom(3)
  const map = new OrderedMap<number>()
  const model = new Map<string, number>()
  for (let i = 0; i < 6000; i++) {
    const key = `${randomInt(random, 4)}/${randomInt(random, 900)}`
    if (randomInt(random, 3) === 0) {
      assert.equal(map.delete(key), model.delete(key))
    } else {
      map.set(key, i)
      model.set(key, i)
    }
  }
  assert.equal(map.size, model.size)
  const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
  assert.deepEqual(
    map.collect(""),
    sorted.map(([, value]) => value),
  )
  const inTwo = sorted.filter(([key]) => key.startsWith("2/"))
  assert.deepEqual(
    map.collect("2/"),
    inTwo.map(([, value]) => value),
  )
  const from = inTwo[10]![0]
  assert.deepEqual(
    map.collect("2/", from + "\0"),
    inTwo.slice(11).map(([, value]) => value),
  )
  assert.deepEqual(map.collect("9/"), [])
})

test("an OrderedMap takes keys in order", () => {
  const map = new OrderedMap<number>()
  const keys = Array.from({ length: 3000 }, (_, i) => `k${String(i).padStart(5, "0")}`)
  for (const [i, key] of keys.entries()) map.set(key, i)
  assert.deepEqual(map.collect("", "k02990"), [2990, 2991, 2992, 2993, 2994, 2995, 2996, 2997, 2998, 2999])
  for (const key of keys) map.delete(key)
  assert.deepEqual(map.collect(""), [])
})
