import assert from "node:assert/strict"
import { test } from "node:test"
import { defineSchemas, schemaOf } from "./schema.ts"
import { zeroValue } from "./zero-value.ts"

defineSchemas("io.example.zero", {
  Thing: {
    spec: "Spec default={}",
    pointer: "Spec",
    when: "io.k8s.apimachinery.pkg.apis.meta.v1.Time printnull",
    name: 'string default=""',
    count: "int32",
  },
  Spec: { parts: "[]string required printnull", labels: "map[string]", optional: "[]string" },
})

test("a new value prints what is always printed, and nothing else", () => {
  const schema = schemaOf("io.example.zero.Thing")
  assert.deepEqual(zeroValue(schema), { spec: { parts: null }, when: null, name: "" })
  assert.equal(zeroValue(schema), zeroValue(schema))
})
