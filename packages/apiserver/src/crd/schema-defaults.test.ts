/** What the published release says of defaults; the diff group `custom` has more of it. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { JSONSchemaProps } from "@knarr/api"
import { fieldErrorMessage, type KubeObject } from "@knarr/apimachinery"
import { definitionHooks } from "./schema-defaults.ts"

const definitionOf = (x: JSONSchemaProps): KubeObject =>
  ({
    spec: {
      versions: [{ name: "v1", schema: { openAPIV3Schema: { type: "object", properties: { x } } } }],
    },
  }) as unknown as KubeObject

const at = "spec.validation.openAPIV3Schema.properties[x]"
const problemsOf = (x: JSONSchemaProps): string[] =>
  definitionHooks.validateCreate!(definitionOf(x)).map((error) => fieldErrorMessage(error).replace(at, "x"))

const integer: JSONSchemaProps = { type: "integer" }
const ruled = (schema: JSONSchemaProps, rule: string, more: object = {}): JSONSchemaProps => ({
  ...schema,
  "x-kubernetes-validations": [{ rule, ...more }],
})
const unpruned: JSONSchemaProps = { type: "object", properties: { a: integer }, default: { b: 1 } }

describe("defaults in a definition", () => {
  const cases: [string, JSONSchemaProps, string[]][] = [
    ["may fit", { ...integer, maximum: 5, default: 3 }, []],
    ["may be null where that is said", { ...integer, nullable: true, default: null }, []],
    [
      "are of their type",
      { type: "array", items: { type: "object", properties: { a: { ...integer, default: "b" } } } },
      ['x.items.properties[a].default: Invalid value: "string":  in body must be of type integer: "string"'],
    ],
    [
      "are among the values that there are",
      { type: "string", enum: ["a"], default: "b" },
      ['x.default: Unsupported value: "b": supported values: "a"'],
    ],
    [
      "have nothing that the schema does not know",
      unpruned,
      ['x.default: Invalid value: {"b":1}: must not have unknown fields'],
    ],
    [
      "keep the rules",
      { ...ruled(integer, "self > 5"), default: 3 },
      ["x.default: Invalid value: 3: failed rule: self > 5"],
    ],
    [
      "keep the rules about what is new",
      { ...ruled(integer, "oldSelf.hasValue() || self > 5", { optionalOldSelf: true }), default: 3 },
      ["x.default: Invalid value: 3: failed rule: oldSelf.hasValue() || self > 5"],
    ],
  ]
  for (const [name, schema, expected] of cases) it(name, () => assert.deepEqual(problemsOf(schema), expected))

  it("may go on having unknown fields", () => {
    const update = (to: JSONSchemaProps, from: JSONSchemaProps): number =>
      definitionHooks.validateUpdate!(definitionOf(to), definitionOf(from)).length
    assert.equal(update(unpruned, unpruned), 0)
    assert.equal(update(unpruned, integer), 1)
  })
})
