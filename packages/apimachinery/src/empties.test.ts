import assert from "node:assert/strict"
import { test } from "node:test"
import { deepFreeze } from "./deep.ts"
import { settleEmpties } from "./empties.ts"
import { defineSchemas, schemaOf } from "./schema.ts"

defineSchemas("io.example.nulls", {
  Shape: {
    rules: "[]string required printnull",
    by: "map[string] required printnull",
    when: "io.k8s.apimachinery.pkg.apis.meta.v1.Time required printnull",
    optional: "[]string",
    inner: "Inner",
    inners: "[]Inner",
    named: "map[Inner]",
    self: "Shape",
  },
  Inner: { names: "[]string required printnull", other: "string" },
})

const shape = schemaOf("io.example.nulls.Shape")

for (const [what, before, after] of [
  ["what is not there", {}, { rules: null, by: null }],
  ["what is null", { rules: null, by: null }, { rules: null, by: null }],
  ["what is empty", { rules: [], by: {} }, { rules: null, by: null }],
  ["what holds something", { rules: ["a"], by: { a: "b" } }, { rules: ["a"], by: { a: "b" } }],
  [
    "what is left out when it is empty",
    { rules: ["a"], by: { a: "" }, optional: [], inner: { names: ["n"] } },
    { rules: ["a"], by: { a: "" }, inner: { names: ["n"] } },
  ],
  [
    "a shape within itself",
    { rules: ["a"], by: { a: "b" }, self: {} },
    { rules: ["a"], by: { a: "b" }, self: { rules: null, by: null } },
  ],
  [
    "what is deep",
    {
      rules: ["a"],
      by: { a: "b" },
      inner: {},
      inners: [{ names: [] }, { names: ["n"] }],
      named: { x: { other: "y" } },
    },
    {
      rules: ["a"],
      by: { a: "b" },
      inner: { names: null },
      inners: [{ names: null }, { names: ["n"] }],
      named: { x: { other: "y", names: null } },
    },
  ],
] as const) {
  test(`${what}, as it is stored`, () => {
    deepFreeze(before)
    const stored = settleEmpties<unknown>(shape, before)
    assert.deepEqual(stored, after)
    assert.equal(settleEmpties<unknown>(shape, stored), stored, "what needs no change stays the same object")
  })
}
