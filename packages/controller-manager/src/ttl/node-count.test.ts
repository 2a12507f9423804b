import assert from "node:assert/strict"
import { test } from "node:test"
import { NodeCount } from "./node-count.ts"

test("what nodes keep is kept longer the more of them there are, and steps overlap", () => {
  const count = new NodeCount()
  let nodes = 0
  const to = (wanted: number): number => {
    for (; nodes < wanted; nodes++) count.change(1)
    for (; nodes > wanted; nodes--) count.change(-1)
    return count.ttlSeconds
  }
  for (const [size, seconds] of [
    [1, 0],
    [100, 0],
    [101, 15],
    [90, 15],
    [89, 0],
    [501, 30],
    [450, 30],
    [449, 15],
    [1001, 60],
    [5000, 300],
    [1800, 300],
    [1799, 60],
    [0, 0],
  ] as const)
    assert.equal(to(size), seconds, `${size} nodes`)
})
