import assert from "node:assert/strict"
import { test } from "node:test"
import { schemaFingerprint } from "./schema-fingerprint.ts"
import type { Field, Schema } from "./schema.ts"

const field = (name: string, schema: Schema, more: Partial<Field> = {}): Field => ({
  name,
  schema,
  required: false,
  ...more,
})
const text: Schema = { type: "string" }
const object = (...fields: Field[]): Schema => ({
  type: "object",
  fields: new Map(fields.map((one) => [one.name, one])),
})

test("shapes that store differently have different fingerprints, at every depth", () => {
  const nested = (inner: Schema): Schema => object(field("list", { type: "array", items: inner }))
  const shapes = [
    object(),
    object(field("a", text)),
    object(field("b", text)),
    object(field("a", { type: "integer" })),
    object(field("a", text, { default: "x" })),
    object(field("a", text, { printNull: true })),
    { ...object(field("a", text)), preserveUnknown: true },
    nested(object(field("a", text))),
    nested(object(field("a", text, { default: "x" }))),
    { type: "map", values: text } satisfies Schema,
  ]
  const prints = shapes.map((shape) => schemaFingerprint(shape, ""))
  assert.equal(new Set(prints).size, shapes.length)
  assert.deepEqual(
    shapes.map((shape) => schemaFingerprint(shape, "")),
    prints,
  )
  assert.notEqual(schemaFingerprint(object(), "more"), prints[0])
})

test("a shape within itself has one, and texts make no difference", () => {
  const self: { -readonly [K in keyof Schema]: Schema[K] } = { type: "object" }
  self.fields = new Map([["inner", field("inner", self)]])
  assert.match(schemaFingerprint(self, ""), /^[\w-]{43}$/)
  const named = object(field("a", text, { enum: ["x"], goType: "T" }))
  assert.equal(schemaFingerprint(named, ""), schemaFingerprint(object(field("a", text)), ""))
})
