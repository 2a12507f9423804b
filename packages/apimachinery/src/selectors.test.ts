import assert from "node:assert/strict"
import { test } from "node:test"
import { parseFieldSelector } from "./field-selector.ts"
import {
  everything,
  formatLabelSelector,
  nothing,
  parseSelector,
  parseToLabelSelector,
  selectorFrom,
} from "./label-selector.ts"

test("label selectors print canonically", () => {
  const cases: Record<string, string> = {
    "": "",
    "a=b": "a=b",
    "z,x in (b,a), y notin (c),!w,c!=d,e==f": "c!=d,e==f,!w,x in (a,b),y notin (c),z",
    "a>1,b<2": "a>1,b<2",
    "x in (,)": "x in ()",
    "x=": "x=",
    "in=notin": "in=notin",
  }
  for (const [text, canonical] of Object.entries(cases))
    assert.equal(parseSelector(text).toString(), canonical)
})

test("label selector errors", () => {
  const cases: Record<string, string> = {
    "a,": "found '', expected: identifier after ','",
    "(": "found '(', expected: !, identifier, or 'end of string'",
    "a b": "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
    "a in": "unable to parse requirement: found '' expected: '('",
    "a=b c": "found 'c', expected: ',' or 'end of string'",
    "a<x":
      'unable to parse requirement: values[0]: Invalid value: "x": ' +
      "for 'Gt', 'Lt' operators, the value must be an integer",
  }
  for (const [text, message] of Object.entries(cases)) assert.throws(() => parseSelector(text), { message })
})

test("label selectors match", () => {
  const cases: [string, Record<string, string>, boolean][] = [
    ["", { a: "b" }, true],
    ["a=b", { a: "b" }, true],
    ["a=b", {}, false],
    ["a!=b", {}, true],
    ["a in (b,c)", { a: "c" }, true],
    ["a notin (b,c)", {}, true],
    ["a notin (b,c)", { a: "b" }, false],
    ["a", { a: "" }, true],
    ["!a", { a: "" }, false],
    ["a>1", { a: "2" }, true],
    ["a>1", { a: "x" }, false],
    ["a<1", { a: "-5" }, true],
    ["constructor", {}, false],
    ["!constructor", {}, true],
  ]
  for (const [text, labels, expected] of cases) {
    assert.equal(parseSelector(text).matches(labels), expected, `${text} ${JSON.stringify(labels)}`)
  }
  assert.ok(parseSelector("!a").matches(undefined))
  assert.equal(parseSelector("a in (b),c").exactValue("a"), "b")
})

test("selector objects", () => {
  assert.equal(selectorFrom(undefined), nothing)
  assert.equal(selectorFrom({}), everything)
  const object = {
    matchLabels: { b: "1" },
    matchExpressions: [
      { key: "a", operator: "In", values: ["y", "x"] },
      { key: "c", operator: "DoesNotExist" },
    ],
  }
  assert.equal(selectorFrom(object).toString(), "a in (x,y),b=1,!c")
  assert.equal(formatLabelSelector({}), "<none>")
  assert.throws(() => selectorFrom({ matchExpressions: [{ key: "a", operator: "Bad" }] }), {
    message: '"Bad" is not a valid label selector operator',
  })
  assert.deepEqual(parseToLabelSelector("a=b,c in (e,d),!f"), {
    matchLabels: { a: "b" },
    matchExpressions: [
      { key: "c", operator: "In", values: ["d", "e"] },
      { key: "f", operator: "DoesNotExist" },
    ],
  })
})

test("field selectors", () => {
  const one = parseFieldSelector("status.phase!=Running,metadata.name==a\\,b")
  assert.equal(one.toString(), "metadata.name=a\\,b,status.phase!=Running")
  assert.ok(one.matches((field) => (field === "metadata.name" ? "a,b" : "Pending")))
  assert.equal(one.exactValue("metadata.name"), "a,b")
  assert.throws(() => parseFieldSelector("x"), { message: "invalid selector: 'x'; can't understand 'x'" })
  assert.throws(() => parseFieldSelector("x=a\\b"), {
    message: "invalid field selector: invalid escape sequence: \\b",
  })
})
