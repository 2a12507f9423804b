import assert from "node:assert/strict"
import { test } from "node:test"
import { tableOf } from "./table.ts"

test("A table has what it lists, and nothing that every object has", () => {
  const table = tableOf<number>({ one: 1, toString: 2 })
  assert.deepEqual(
    ["one", "toString", "constructor", "__proto__", "hasOwnProperty", ""].map((name) => table[name]),
    [1, 2, undefined, undefined, undefined, undefined],
  )
  assert.deepEqual(Object.keys(table), ["one", "toString"])
})
