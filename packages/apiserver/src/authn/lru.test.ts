import assert from "node:assert/strict"
import { test } from "node:test"
import { Lru } from "./lru.ts"

test("what was used longest ago makes room, and what is too heavy is not kept", () => {
  const lru = new Lru<string, number>(10)
  lru.set("a", 1, 4)
  lru.set("b", 2, 4)
  assert.equal(lru.get("a"), 1)
  lru.set("c", 3, 4)
  assert.deepEqual([lru.get("a"), lru.get("b"), lru.get("c")], [1, undefined, 3])
  lru.set("c", 4, 11)
  assert.deepEqual([lru.get("a"), lru.get("c"), lru.size], [1, undefined, 1])
  lru.set("a", 5, 10)
  assert.deepEqual([lru.get("a"), lru.size], [5, 1])
})
