import assert from "node:assert/strict"
import { test } from "node:test"
import type { CachedObject } from "../registry/cached-object.ts"
import { EncodedObjects } from "./encoded-objects.ts"

test("what was asked for is kept, what was not is forgotten when others take its room", () => {
  const kept = new EncodedObjects(400)
  const objects = Array.from({ length: 8 }, () => ({}) as CachedObject)
  let made = 0
  const ask = (at: number, key = "a"): number => {
    const before = made
    const bytes = kept.get(objects[at]!, key, () => {
      made++
      return Buffer.alloc(100, at)
    })
    assert.ok(bytes.equals(Buffer.alloc(100, at)))
    return made - before
  }
  assert.deepEqual([ask(0), ask(0), ask(0, "b"), ask(0, "b")], [1, 0, 1, 0])
  // Two have the younger generation, and become the older one.
  assert.deepEqual([ask(1), ask(0), ask(2), ask(3), ask(0)], [1, 0, 1, 1, 0])
  for (let at = 4; at < 8; at++) ask(at)
  assert.deepEqual([ask(0), ask(7)], [1, 0])
})
