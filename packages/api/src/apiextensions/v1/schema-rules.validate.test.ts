/** What the published release says of validation rules; the diff group `custom` has more of it. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { fieldErrorMessage } from "@knarr/apimachinery"
import { validateDefinition } from "./customresourcedefinition.validate.ts"
import type { CustomResourceDefinition, JSONSchemaProps, ValidationRule } from "./types.gen.ts"

function definitionOf(x: JSONSchemaProps): CustomResourceDefinition {
  const openAPIV3Schema: JSONSchemaProps = { type: "object", properties: { x } }
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "wrongs.example.com", resourceVersion: "1" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "wrongs", singular: "wrong", kind: "Wrong", listKind: "WrongList" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }],
    },
    status: { storedVersions: ["v1"], acceptedNames: { kind: "", plural: "" }, conditions: [] },
  } as unknown as CustomResourceDefinition
}

const at = "spec.validation.openAPIV3Schema.properties[x]"
const advice =
  "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"

const problemsOf = (x: JSONSchemaProps, old?: JSONSchemaProps): string[] =>
  validateDefinition(definitionOf(x), old && definitionOf(old))
    .map(fieldErrorMessage)
    .map((text) =>
      text
        .replace(/\{"Rule".*?\}: /, "")
        .replace(at, "x")
        .replace(advice, "…"),
    )

const ruled = (
  schema: JSONSchemaProps,
  rule: string,
  more: Partial<ValidationRule> = {},
): JSONSchemaProps => ({
  ...schema,
  "x-kubernetes-validations": [{ rule, ...more }],
})
const integer: JSONSchemaProps = { type: "integer" }
const dear: JSONSchemaProps = {
  type: "array",
  maxItems: 260_000,
  items: ruled({ type: "string", maxLength: 100 }, "self.contains('a')"),
}

describe("validation rules of a definition", () => {
  const cases: [string, JSONSchemaProps, string[]][] = [
    ["may compare", ruled(integer, "self > 0"), []],
    [
      "compile",
      ruled(integer, "self == 'a'"),
      [
        "x.x-kubernetes-validations[0].rule: Invalid value: compilation failed: ERROR: <input>:1:6: found no matching overload for '_==_' applied to '(int, string)'\n | self == 'a'\n | .....^",
      ],
    ],
    [
      "are true or false",
      ruled(integer, "self + 1"),
      ["x.x-kubernetes-validations[0].rule: Invalid value: cel expression must evaluate to a bool"],
    ],
    [
      "have messages that are texts",
      ruled(integer, "self > 0", { messageExpression: "self" }),
      [
        "x.x-kubernetes-validations[0].messageExpression: Invalid value: messageExpression must evaluate to a string",
      ],
    ],
    [
      "know the type of what they are about",
      ruled({ "x-kubernetes-preserve-unknown-fields": true }, "true"),
      [
        "x.x-kubernetes-validations: Internal error: internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations",
      ],
    ],
    [
      "use old values where they can be told",
      { type: "array", maxItems: 3, items: ruled(integer, "self >= oldSelf") },
      [
        `x.items.x-kubernetes-validations[0].rule: Invalid value: "self >= oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within ${at}`,
      ],
    ],
    [
      "say that an old value is optional only when they use it",
      ruled(integer, "self > 0", { optionalOldSelf: false }),
      [
        "x.x-kubernetes-validations[0].optionalOldSelf: Invalid value: false: may not be set if oldSelf is not used in rule",
      ],
    ],
    [
      "do not cost too much",
      dear,
      [
        "x.items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of 1.066000x …",
      ],
    ],
    [
      "are not looked at where the schema is wrong",
      ruled({ type: "object", properties: { a: { type: "integer", uniqueItems: true } } }, "self.b > 0"),
      [
        "x.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
      ],
    ],
  ]
  for (const [name, schema, expected] of cases) it(name, () => assert.deepEqual(problemsOf(schema), expected))

  it("may cost what they did as long as the schema is the same", () => {
    assert.deepEqual(problemsOf(dear, dear), [])
    assert.equal(problemsOf(dear, integer).length, 1)
  })
})
