import assert from "node:assert/strict"
import { test } from "node:test"
import { FieldSet } from "./field-set.ts"
import { keyElement, pathText } from "./path-element.ts"

const json = (set: FieldSet): string => JSON.stringify(set)
const a = FieldSet.fromJSON({ "f:a": { ".": {}, "f:b": {}, "f:c": { "f:d": {} } }, "f:e": {} })

test("FieldSet operations", () => {
  const b = FieldSet.fromJSON({ "f:a": { "f:b": {} }, "f:x": {} })
  assert.equal(json(a.union(b)), '{"f:a":{".":{},"f:b":{},"f:c":{"f:d":{}}},"f:e":{},"f:x":{}}')
  assert.equal(json(a.intersection(b)), '{"f:a":{"f:b":{}}}')
  assert.equal(json(a.difference(b)), '{"f:a":{".":{},"f:c":{"f:d":{}}},"f:e":{}}')
  assert.equal(json(a.difference(FieldSet.of(["f:a"]))), '{"f:a":{"f:b":{},"f:c":{"f:d":{}}},"f:e":{}}')
  assert.equal(json(a.recursiveDifference(FieldSet.of(["f:a"]))), '{"f:e":{}}')
  assert.equal(json(a.leaves()), '{"f:a":{"f:b":{},"f:c":{"f:d":{}}},"f:e":{}}')
  assert.ok(a.difference(a).isEmpty())
  assert.ok(a.has(["f:a"]) && !a.has(["f:a", "f:c"]) && a.has(["f:a", "f:c", "f:d"]))
  assert.ok(a.union(b).equals(b.union(a)))
})

test("FieldSet is written in canonical order", () => {
  const set = FieldSet.fromJSON({
    "v:1": {},
    'v:"b"': {},
    "i:2": {},
    'k:{"p":80,"n":"a"}': {},
    "f:z": {},
    ".": {},
    "f:a": { ".": {} },
  })
  assert.equal(
    json(set),
    '{".":{},"f:a":{},"f:z":{},"k:{\\"n\\":\\"a\\",\\"p\\":80}":{},"v:1":{},"v:\\"b\\"":{},"i:2":{}}',
  )
  assert.throws(() => FieldSet.fromJSON({ "q:a": {} }))
})

test("paths in messages", () => {
  const path = [
    "f:spec",
    keyElement([
      ["containerPort", 80],
      ["protocol", "TCP"],
    ]),
    'v:"x"',
    "i:3",
  ]
  assert.equal(pathText(path), '.spec[containerPort=80,protocol="TCP"][="x"][3]')
})
