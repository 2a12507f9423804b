import assert from "node:assert/strict"
import { test } from "node:test"
import { formatIndexes, parseIndexes } from "./indexes.ts"

for (const [list, text] of [
  [[], ""],
  [[1], "1"],
  [[1, 2], "1,2"],
  [[7, 1, 3, 4, 5], "1,3-5,7"],
] as const) {
  test(`Indexes "${text}"`, () => {
    assert.equal(formatIndexes(new Set(list)), text)
    assert.deepEqual(
      [...parseIndexes(text, 100)],
      [...list].sort((a, b) => a - b),
    )
  })
}

test("Indexes beyond the completions are dropped", () => {
  assert.deepEqual([...parseIndexes("1,3-9", 5)], [1, 3, 4])
})
