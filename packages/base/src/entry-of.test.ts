import assert from "node:assert/strict"
import { test } from "node:test"
import { entryOf } from "./entry-of.ts"

test("a key's value is made once, undefined too", () => {
  const map = new Map<string, number[] | undefined>()
  entryOf(map, "a", () => [])?.push(1)
  assert.deepEqual(
    entryOf(map, "a", () => []),
    [1],
  )
  map.set("b", undefined)
  assert.equal(
    entryOf(map, "b", () => []),
    undefined,
  )
})
