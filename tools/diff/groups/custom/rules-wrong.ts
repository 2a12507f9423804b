/** Definitions whose validation rules, defaults or enums are wrong, or nearly. */
import { post, put, quiet, type Body, type Step } from "../../script.ts"
import { definition, definitions, version } from "./definition.ts"

type Loose = Readonly<Record<string, unknown>>

const group = "wrongrules.example.com"
const string = { type: "string" }
const integer = { type: "integer" }
const rule = (text: string, more: object = {}): Loose => ({ rule: text, ...more })
const ruled = (schema: Loose, ...rules: Loose[]): Loose => ({ ...schema, "x-kubernetes-validations": rules })
const object = (properties: Loose, more: Loose = {}): Loose => ({ type: "object", properties, ...more })
const list = (items: Loose, more: Loose = {}): Loose => ({ type: "array", items, ...more })
const map = (values: Loose, more: Loose = {}): Loose => ({
  type: "object",
  additionalProperties: values,
  ...more,
})
const keyed = (items: Loose): Loose =>
  list(items, { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], maxItems: 3 })

/** Of one field, `x`. */
const cases: Readonly<Record<string, Loose>> = {
  right: ruled(integer, rule("self > 0")),
  "does not parse": ruled(integer, rule("self >")),
  "unknown name": ruled(integer, rule("other > 0")),
  "unknown field": ruled(object({ a: integer }), rule("self.b > 0")),
  "two issues": ruled(object({ a: integer }), rule("self.b > 0 && self.c > 0")),
  "wrong types": ruled(integer, rule("self == 'a'")),
  "not a bool": ruled(integer, rule("self + 1")),
  "not a bool, dyn": ruled({ "x-kubernetes-int-or-string": true }, rule("self")),
  "bad constant": ruled(string, rule("self.matches('[')")),
  "bad duration": ruled(string, rule("duration('1x') > duration('1s')")),
  "message does not compile": ruled(integer, rule("self > 0", { messageExpression: "self.a" })),
  "message is no string": ruled(integer, rule("self > 0", { messageExpression: "self" })),
  "message is blank": ruled(integer, rule("self > 0", { messageExpression: " " })),
  "both do not compile": ruled(integer, rule("self", { messageExpression: "self" })),
  "rule is blank": ruled(integer, rule(" ")),
  "message has a break": ruled(integer, rule("self > 0", { message: "a\nb" })),
  "rule has a break": ruled(integer, rule("self > 0 &&\nself < 5")),
  "rule has a break, and a message": ruled(integer, rule("self > 0 &&\nself < 5", { message: "between" })),
  "issue on the second line": ruled(integer, rule("self > 0 &&\n self < 'x'", { message: "between" })),
  "unknown reason": ruled(integer, rule("self > 0", { reason: "Other" })),
  "no such path": ruled(object({ a: integer }), rule("self.a > 0", { fieldPath: ".b" })),
  "path without a dot": ruled(object({ a: integer }), rule("self.a > 0", { fieldPath: "a" })),
  "path through a list": ruled(object({ a: list(integer) }), rule("true", { fieldPath: ".a[0]" })),
  "old value": ruled(integer, rule("self >= oldSelf")),
  "optional old value": ruled(integer, rule("self >= oldSelf.orValue(0)", { optionalOldSelf: true })),
  "optional without": ruled(integer, rule("self > 0", { optionalOldSelf: true })),
  "not optional without": ruled(integer, rule("self > 0", { optionalOldSelf: false })),
  "optional as it is not": ruled(integer, rule("self >= oldSelf", { optionalOldSelf: true })),
  "optional, does not compile": ruled(integer, rule("self >", { optionalOldSelf: true })),
  "old value in a list": list(ruled(integer, rule("self >= oldSelf")), { maxItems: 3 }),
  "old value deep in a list": list(object({ a: ruled(integer, rule("self >= oldSelf")) }), { maxItems: 3 }),
  "old value in a set": list(ruled(integer, rule("self >= oldSelf")), {
    maxItems: 3,
    "x-kubernetes-list-type": "set",
  }),
  "old value in a keyed list": keyed(
    object(
      { k: { ...string, maxLength: 5 }, v: ruled(integer, rule("self >= oldSelf")) },
      { required: ["k"] },
    ),
  ),
  "old value in a list in a keyed list": keyed(
    object(
      {
        k: { ...string, maxLength: 5 },
        v: list(ruled(integer, rule("self >= oldSelf")), { maxItems: 2 }),
      },
      { required: ["k"] },
    ),
  ),
  "old value in a map": map(ruled(integer, rule("self >= oldSelf")), { maxProperties: 3 }),
  "text without bounds": ruled(string, rule("self.contains('a')")),
  "list without bounds": ruled(list(string), rule("self.all(x, x.contains('a'))")),
  "list of lists": ruled(list(list(integer)), rule("self.all(x, x.all(y, self.all(z, y in z)))")),
  "list with bounds": ruled(
    list({ ...string, maxLength: 10 }, { maxItems: 10 }),
    rule("self.all(x, x != 'a')"),
  ),
  "in a list without bounds": list(ruled(string, rule("self.contains('a')"))),
  "in a list with bounds": list(ruled({ ...string, maxLength: 100 }, rule("self.contains('a')")), {
    maxItems: 100_000,
  }),
  "in a map without bounds": map(ruled({ ...string, maxLength: 1000 }, rule("self.matches('a')"))),
  "in a map with bounds": map(ruled({ ...string, maxLength: 1000 }, rule("self.matches('a+')")), {
    maxProperties: 20_000,
  }),
  "slightly too much": list(ruled({ ...string, maxLength: 100 }, rule("self.contains('a')")), {
    maxItems: 260_000,
  }),
  "a quarter over": list(ruled(integer, rule("self > 0")), { maxItems: 11_250_000 }),
  "message without bounds": ruled(
    list(string),
    rule("true", { messageExpression: "self.map(x, x + x + x).join('a').replace('a', 'bbbb')" }),
  ),
  "together too much": object(
    Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [
        `p${i}`,
        list(ruled(integer, rule("self > 0")), { maxItems: 4_900_000 - i * 1000 }),
      ]),
    ),
  ),
  "no type": ruled({ "x-kubernetes-preserve-unknown-fields": true }, rule("true")),
  "int or string": ruled({ "x-kubernetes-int-or-string": true }, rule("type(self) == int || self == 'a'")),
  "embedded resource": ruled(
    { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
    rule("self.metadata.name == 'a' && self.kind != self.metadata.labels"),
  ),
  "in allOf": { ...integer, allOf: [ruled({}, rule("self >"))] },
  "with another mistake": ruled(object({ a: integer }, { uniqueItems: true }), rule("self.b > 0")),
  "above a mistake": ruled(object({ a: { ...integer, uniqueItems: true } }), rule("self.b > 0")),
  "reserved names": ruled(
    object({ namespace: string, "a-b": string }),
    rule("self.__namespace__ == self.a__dash__b"),
  ),
  "reserved name as it is": ruled(object({ namespace: string }), rule("self.namespace == 'a'")),
  authorizer: ruled(integer, rule("authorizer.path('/').check('get').allowed()")),
  "default that fits": { ...integer, default: 3, maximum: 5 },
  "default of another type": { ...integer, default: "a" },
  "default beyond": { ...integer, default: 7, maximum: 5 },
  "default with unknown fields": object({ a: integer }, { default: { b: 1 } }),
  "default breaks a rule": { ...ruled(integer, rule("self > 5")), default: 3 },
  "default breaks an optional rule": {
    ...ruled(integer, rule("oldSelf.hasValue() || self > 5", { optionalOldSelf: true })),
    default: 3,
  },
  "default not in the enum": { ...string, enum: ["a"], default: "b" },
  "default without what is required": object({ a: integer }, { required: ["a"], default: {} }),
  "default null": { ...string, nullable: true, default: null },
  "default in a list": list(object({ a: { ...integer, default: "b" } })),
  "default in a map": map(object({ a: { ...integer, default: "b" } })),
  "default of a pattern": { ...string, pattern: "^a", default: "b" },
  "default of a set": list(integer, { "x-kubernetes-list-type": "set", default: [1, 1] }),
  "enum of another type": { ...string, enum: [1, 2] },
  "enum of nothing": { ...string, enum: [] },
}

const bodyOf = (x: Loose, name = "wrongs"): Body =>
  definition(group, name, "Wrong", [version("v1", { x })], { names: { singular: "wrong" } }) as never

export function rulesWrong(): Step[] {
  const asked = Object.entries(cases).map(([title, schema]) =>
    post(title, `${definitions}?dryRun=All`, bodyOf(schema)),
  )
  const at = (root: Loose): Body =>
    definition(group, "wrongs", "Wrong", [
      { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: root } },
    ]) as never
  const old = bodyOf(ruled(integer, rule("self > 0")), "olds")
  const updated = (title: string, x: Loose): Step =>
    put(title, `${definitions}/olds.${group}?dryRun=All`, bodyOf(x, "olds"))
  return [
    ...asked,
    post(
      "at the root",
      `${definitions}?dryRun=All`,
      at(
        ruled(
          object({ spec: integer }),
          rule("self.spec > 0 && self.metadata.name != '' && self.kind == ''"),
        ),
      ),
    ),
    post(
      "at the root, labels",
      `${definitions}?dryRun=All`,
      at(ruled(object({ spec: integer }), rule("self.metadata.labels == self.other"))),
    ),
    quiet(post("define", definitions, old)),
    updated("update to what is wrong", ruled(integer, rule("self > 0"), rule("self > 'a'"))),
    updated("update to what is right", ruled(integer, rule("self > 0"), rule("self > 1"))),
    updated("update to what costs too much", ruled(string, rule("self.contains('a')"))),
  ]
}
