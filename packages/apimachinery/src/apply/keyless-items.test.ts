import assert from "node:assert/strict"
import { test } from "node:test"
import "../meta/schema.gen.ts"
import { defineSchemas, schemaOf } from "../schema.ts"
import { updateManagers } from "./managed-fields.ts"

defineSchemas("io.example.keyless", {
  Holder: {
    metadata: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta default={}",
    items: "[]Item list=map:name",
    other: "string",
  },
  Item: { name: "string omitzero", value: "string omitzero" },
})

const ctx = {
  schema: schemaOf("io.example.keyless.Holder"),
  apiVersion: "example.io/v1",
  nowText: "2024-01-01T00:00:00Z",
}
const fieldsOf = (object: object): unknown =>
  (object as { metadata: { managedFields?: { fieldsV1: unknown }[] } }).metadata.managedFields?.map(
    ({ fieldsV1 }) => fieldsV1,
  )

test("what has items without their key is not tracked: whoever managed something before still does", () => {
  const keyless = { metadata: { name: "a" }, items: [{ value: "v" }], other: "x" }
  assert.equal(fieldsOf(updateManagers(ctx, undefined, keyless, "m")), undefined)
  const before = updateManagers(ctx, undefined, { ...keyless, items: [{ name: "n", value: "v" }] }, "m")
  const expected = [
    { "f:items": { ".": {}, 'k:{"name":"n"}': { ".": {}, "f:name": {}, "f:value": {} } }, "f:other": {} },
  ]
  assert.deepEqual(fieldsOf(before), expected)
  assert.deepEqual(fieldsOf(updateManagers(ctx, before, { ...keyless, other: "y" }, "n")), expected)
})
