/** What a schema and an object cost together: their sum, not their product. Work is counted, not timed. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { JSONSchemaProps } from "@knarr/api"
import { fieldErrorMessage } from "@knarr/apimachinery"
import { maxProblems } from "./check-result.ts"
import { defaultCustom } from "./defaults.ts"
import { validateListTypes } from "./list-types.ts"
import { SchemaCheck } from "./schema-check.ts"

const many = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

const listOf = (items: JSONSchemaProps, more: Partial<JSONSchemaProps> = {}): JSONSchemaProps => ({
  type: "array",
  items,
  ...more,
})

/** The object, and how often it was looked at. */
function counted<T extends object>(target: T): { value: T; looks: () => number } {
  let looks = 0
  const look =
    <A extends unknown[], R>(trap: (...args: A) => R) =>
    (...args: A): R => {
      looks++
      return trap(...args)
    }
  const value = new Proxy(target, {
    get: look(Reflect.get),
    getOwnPropertyDescriptor: look(Reflect.getOwnPropertyDescriptor),
  })
  return { value, looks: () => looks }
}

describe("checks of custom resources", () => {
  const names = many(2000, (i) => `p${i}`)
  const cases: [string, JSONSchemaProps, unknown][] = [
    ["required properties", listOf({ type: "object", required: names }), many(2000, () => ({}))],
    ["wrong types below a long name", listOf({ type: "string" }), many(5000, () => 1)],
    ["wrong values of a long enumeration", listOf({ type: "string", enum: names }), many(5000, () => "x")],
    [
      "alternatives none of which fits",
      listOf({ type: "object", anyOf: [{ required: names }, { required: ["x"] }] }),
      many(2000, () => ({})),
    ],
  ]
  for (const [what, schema, value] of cases)
    it(`tell so much of ${what}, and no more`, () => {
      const path = "n".repeat(10_000)
      const check = new SchemaCheck({ type: "object", properties: { [path]: schema } })
      const errors = check.validate({ [path]: value })
      assert.ok(errors.length > 0 && errors.length <= maxProblems, `${errors.length}`)
      const length = errors.reduce((sum, error) => sum + fieldErrorMessage(error).length, 0)
      assert.ok(length < 8 * 1024 * 1024, `${length}`)
    })

  it("look at an enumeration once, however many values are asked about", () => {
    const { value, looks } = counted(names)
    const check = new SchemaCheck(listOf({ type: "string", enum: value }))
    assert.deepEqual(check.validate(["p0"]), [])
    const before = looks()
    assert.deepEqual(check.validate(many(2000, (i) => `p${i}`)), [])
    assert.equal(looks(), before)
  })

  it("look for the properties that an object has, not for all that it could have", () => {
    const properties = Object.fromEntries(
      names.map((name): [string, JSONSchemaProps] => [name, { type: "string" }]),
    )
    const { value, looks } = counted({ p7: "x", p1: 3 })
    const errors = new SchemaCheck({ type: "object", properties }).validate(value)
    assert.deepEqual(
      errors.map(({ field }) => field),
      ["p1"],
    )
    assert.ok(looks() < 20, `${looks()}`)
  })

  it("tell so many items that are there twice, and no more", () => {
    const set = listOf({ type: "string" }, { "x-kubernetes-list-type": "set" })
    const twice = many(5000, (i) => `${i >> 1}`)
    assert.equal(validateListTypes(twice, set).length, maxProblems)
  })
})

describe("defaults of custom resources", () => {
  for (const { what, items, value } of [
    { what: "a long default", items: { b: { type: "string", default: "x".repeat(100_000) } }, value: {} },
    {
      what: "many defaults",
      items: Object.fromEntries(many(2000, (i) => [`p${i}`, { type: "integer", default: 1 }])),
      value: {},
    },
    {
      what: "defaults of nulls",
      items: { b: { type: "string", default: "x".repeat(100_000) } },
      value: { b: null },
    },
  ])
    it(`of ${what} in many items end when no store takes the object`, () => {
      const list = many(5000, () => ({ ...value }))
      defaultCustom(list, listOf({ type: "object", properties: items }))
      const { length } = JSON.stringify(list)
      assert.ok(length > 3 * 1024 * 1024 && length < 4 * 1024 * 1024, `${length}`)
    })
})
