import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { JSONSchemaProps } from "@knarr/api"
import { publishedSchema } from "./published-schema.ts"

const standard = { apiVersion: {}, kind: {}, metadata: { $ref: "meta" } }
const string: JSONSchemaProps = { type: "string" }

/** What is published of a field with the schema. */
function published(x: JSONSchemaProps, version: 2 | 3): unknown {
  const whole = publishedSchema({ type: "object", properties: { x } }, false)(version, standard)
  return (whole["properties"] as Record<string, unknown>)["x"]
}

describe("what OpenAPI publishes of a custom resource", () => {
  const cases: [string, JSONSchemaProps, unknown, unknown][] = [
    [
      "has texts, formats and bounds",
      { type: "string", description: "A day.", format: "date", maxLength: 10, default: "x" },
      { type: "string", description: "A day.", format: "date", maxLength: 10, default: "x" },
      { type: "string", description: "A day.", format: "date", maxLength: 10 },
    ],
    [
      "has no type in version 2 for what may be null",
      {
        type: "object",
        required: ["a", "b"],
        properties: { a: { type: "string", nullable: true }, b: string },
      },
      {
        type: "object",
        required: ["a", "b"],
        properties: { a: { type: "string", nullable: true }, b: string },
      },
      { type: "object", required: ["b"], properties: { a: {}, b: string } },
    ],
    [
      "says what an integer or a text is",
      { "x-kubernetes-int-or-string": true, anyOf: [{ minimum: 3 }] },
      {
        "x-kubernetes-int-or-string": true,
        allOf: [{ anyOf: [{ type: "integer" }, { type: "string" }] }],
        anyOf: [{ minimum: 3 }],
      },
      { "x-kubernetes-int-or-string": true },
    ],
    [
      "is open in version 2 where unknown fields are kept",
      { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { a: string } },
      { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { a: string } },
      { "x-kubernetes-preserve-unknown-fields": true },
    ],
  ]
  for (const [name, schema, three, two] of cases)
    it(name, () => {
      assert.deepEqual(published(schema, 3), three)
      assert.deepEqual(published(schema, 2), two)
    })

  it("gives embedded objects what every object has", () => {
    const out = published(
      { type: "object", "x-kubernetes-embedded-resource": true, properties: { a: string }, required: ["a"] },
      3,
    ) as { required: string[]; properties: Record<string, unknown> }
    assert.deepEqual(out.required, ["a", "kind", "apiVersion"])
    assert.deepEqual(out.properties["metadata"], standard.metadata)
  })

  it("is any object in version 2 when the whole object is open", () => {
    const schema: JSONSchemaProps = { type: "object", "x-kubernetes-preserve-unknown-fields": true }
    assert.deepEqual(publishedSchema(schema, false)(2, standard), { type: "object" })
    assert.deepEqual(publishedSchema(schema, false)(3, standard), { ...schema, properties: standard })
  })
})
