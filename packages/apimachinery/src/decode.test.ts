import assert from "node:assert/strict"
import { test } from "node:test"
import { decodeJson, decodeObject, DecodeError, strictErrorMessage } from "./decode.ts"
import { deepClone, deepEqual, deepFreeze, semanticEqual } from "./deep.ts"
import "./meta/schema.gen.ts"
import { pruneUnknown } from "./prune.ts"
import { applySchemaDefaults } from "./schema-defaults.ts"
import { defineSchemas, schemaOf } from "./schema.ts"

defineSchemas("io.test.v1", {
  Widget: {
    apiVersion: "string",
    kind: "string",
    metadata: "1 io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta default={}",
    spec: "2 WidgetSpec default={}",
    status: "3 WidgetStatus",
  },
  WidgetSpec: {
    replicas: "1 int32",
    big: "2 int64",
    parts: "3 []Part required list=map:name",
    limits: "4 map[io.k8s.apimachinery.pkg.api.resource.Quantity]",
    port: "5 io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    data: "6 map[bytes]",
    raw: "7 io.k8s.apimachinery.pkg.runtime.RawExtension",
    paused: "8 boolean",
    tags: "9 []string list=set",
  },
  Part: {
    name: 'string required default=""',
    count: "int32 required default=0",
    protocol: 'string default="TCP"',
    inner: "WidgetSpec",
  },
  Printed: {
    optional: 'string default=""',
    left: "int32 omitzero default=0",
    amount: "io.k8s.apimachinery.pkg.api.resource.Quantity required",
    most: "io.k8s.apimachinery.pkg.api.resource.Quantity required omitempty",
  },
  WidgetStatus: { at: "io.k8s.apimachinery.pkg.apis.meta.v1.Time", ratio: "double" },
})
const widget = schemaOf("io.test.v1.Widget")

test("decoding fills what Go prints, drops nulls and empties and makes values canonical", () => {
  const { object } = decodeObject<unknown>(widget, {
    kind: "Widget",
    metadata: { name: "a", creationTimestamp: null, labels: {} },
    spec: {
      parts: [{}, null, { name: "b", count: 2 }],
      limits: { cpu: 0.5, memory: "1024Mi" },
      port: "http",
      data: { a: "aGk=" },
      raw: { any: [1, null] },
      tags: [],
    },
    status: { at: "2024-01-01T01:00:00+01:00", ratio: 0.5 },
    unknown: 1,
  })
  assert.deepEqual(object, {
    kind: "Widget",
    metadata: { name: "a" },
    spec: {
      parts: [
        { name: "", count: 0 },
        { name: "", count: 0 },
        { name: "b", count: 2 },
      ],
      limits: { cpu: "500m", memory: "1Gi" },
      port: "http",
      data: { a: "aGk=" },
      raw: { any: [1, null] },
    },
    status: { at: "2024-01-01T00:00:00Z", ratio: 0.5 },
  })
  assert.deepEqual(decodeObject(widget, {}).object, { metadata: {}, spec: {} })
  const zero = decodeObject(widget, { status: { at: "0001-01-01T00:00:00Z" } }).object
  assert.deepEqual(zero, { metadata: {}, spec: {}, status: {} })
})

test("zero values that Go prints are filled in, required or not", () => {
  const printed = schemaOf("io.test.v1.Printed")
  assert.deepEqual(decodeObject(printed, {}).object, { optional: "", amount: "0" })
})

test("times that Go prints although they are not set", () => {
  defineSchemas("io.test.v2", {
    Condition: {
      type: 'string required default=""',
      at: "io.k8s.apimachinery.pkg.apis.meta.v1.Time printnull",
      exactly: "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime printnull",
    },
  })
  const schema = schemaOf("io.test.v2.Condition")
  const cases: [object, object][] = [
    [{}, { type: "", at: null, exactly: null }],
    [
      { at: null, exactly: "2024-01-01T00:00:00.000000Z" },
      { at: null, exactly: "2024-01-01T00:00:00.000000Z" },
    ],
    [{ at: "0001-01-01T00:00:00Z" }, { at: null, exactly: null }],
    [{ at: "2024-01-01T00:00:00Z" }, { at: "2024-01-01T00:00:00Z", exactly: null }],
  ]
  for (const [value, expected] of cases) {
    assert.deepEqual(decodeObject(schema, value).object, { type: "", ...expected })
  }
})

test("type errors", () => {
  const cases: [unknown, string][] = [
    [[], "json: cannot unmarshal array into Go value of type v1.Widget"],
    [{ spec: "x" }, "json: cannot unmarshal string into Go struct field Widget.spec of type v1.WidgetSpec"],
    [
      { spec: { replicas: "1" } },
      "json: cannot unmarshal string into Go struct field WidgetSpec.spec.replicas of type int32",
    ],
    [
      { spec: { replicas: 2 ** 31 } },
      "json: cannot unmarshal number 2147483648 into Go struct field WidgetSpec.spec.replicas of type int32",
    ],
    [
      { spec: { parts: [{ inner: { paused: "x" } }] } },
      "json: cannot unmarshal string into Go struct field WidgetSpec.spec.parts.inner.paused of type bool",
    ],
    [
      { metadata: { labels: { a: 1 } } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
    ],
    [
      { spec: { parts: {} } },
      "json: cannot unmarshal object into Go struct field WidgetSpec.spec.parts of type []v1.Part",
    ],
    [
      { spec: { port: true } },
      "json: cannot unmarshal bool into Go struct field WidgetSpec.spec.port of type int32",
    ],
    [
      { spec: { limits: { a: "x" } } },
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [{ spec: { data: { a: "a$" } } }, "illegal base64 data at input byte 1"],
    [{ status: { at: "x" } }, 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'],
  ]
  for (const [value, message] of cases) {
    assert.throws(
      () => decodeObject(widget, value),
      (thrown: Error) => thrown instanceof DecodeError && thrown.message === message,
      message,
    )
  }
  assert.throws(() => decodeJson(widget, '{"a":}'), {
    message: "invalid character '}' looking for beginning of value",
  })
  assert.throws(() => decodeJson(widget, '{"a":1'), { message: "unexpected end of JSON input" })
})

test("strict decoding reports unknown and duplicate fields in the order of the text", () => {
  const text =
    '{"a":1,"spec":{"x":{"y":1},"replicas":1,"replicas":2,"parts":[{"name":"a","name":"b","z":0}],' +
    '"raw":{"a":1,"a":2},"limits":{"cpu":"1","cpu":"2"}},"a":2}'
  const { strictErrors } = decodeJson(widget, text, { strict: true })
  assert.equal(
    strictErrorMessage(strictErrors),
    'strict decoding error: unknown field "a", unknown field "spec.x", duplicate field "spec.replicas", ' +
      'duplicate field "spec.parts[0].name", unknown field "spec.parts[0].z", duplicate field "spec.limits.cpu"',
  )
  const one = decodeJson(widget, '{"spec":{"parts":[{"n\\"ame":1}]}}', { strict: true })
  assert.deepEqual(one.strictErrors, ['unknown field "spec.parts[0].n\\"ame"'])
  assert.deepEqual(decodeJson(widget, text).strictErrors, [])
})

test("a field called __proto__ is only data", () => {
  const value = JSON.parse(
    '{"metadata":{"labels":{"__proto__":"x"}},"__proto__":{"polluted":true}}',
  ) as unknown
  const { object } = decodeObject<{ metadata: { labels: object } }>(widget, value)
  assert.ok(Object.hasOwn(object.metadata.labels, "__proto__"))
  assert.equal((object as unknown as { polluted?: boolean }).polluted, undefined)
  assert.ok(Object.hasOwn(deepClone(value) as object, "__proto__"))
})

test("pruning keeps nulls and shares what does not change", () => {
  const value = { spec: { replicas: null, x: 1, parts: [{ name: "a" }, { y: 1 }] }, status: { ratio: 1 } }
  const { value: out, removed } = pruneUnknown(widget, value)
  assert.deepEqual(out, { spec: { replicas: null, parts: [{ name: "a" }, {}] }, status: { ratio: 1 } })
  assert.deepEqual(removed, ["spec.x", "spec.parts[1].y"])
  assert.equal(out.status, value.status)
  assert.equal(pruneUnknown(widget, out).value, out)
})

test("schema defaults", () => {
  const value = { spec: { parts: [{ name: "a" }, { name: "b", protocol: "UDP" }] } }
  applySchemaDefaults(widget, value)
  assert.deepEqual(value, {
    spec: {
      parts: [
        { name: "a", protocol: "TCP" },
        { name: "b", protocol: "UDP" },
      ],
    },
  })
})

test("copies, comparison, freezing", () => {
  const value = { a: [1, { b: null }], c: "x" }
  const copy = deepClone(deepFreeze(value))
  assert.deepEqual(copy, value)
  assert.ok(!Object.isFrozen(copy.a))
  assert.ok(deepEqual(copy, value))
  assert.ok(deepEqual({ a: undefined }, {}))
  assert.ok(!deepEqual({ a: 1 }, { b: 1 }))
  assert.ok(!deepEqual([], {}))
  assert.ok(semanticEqual({ a: [], c: null }, {}))
  assert.ok(!semanticEqual({ a: {} }, {}))
  assert.ok(!semanticEqual({ a: "" }, {}))
})

test("empty lists and maps are kept for who asks, and mean nothing to comparison; copies too", () => {
  const sent = {
    metadata: { labels: {}, managedFields: [] },
    spec: { parts: [], tags: [], limits: {}, raw: {} },
    status: {},
  }
  const { object } = decodeObject<object>(widget, sent, { keepEmpties: true })
  assert.deepEqual(object, sent)
  const dropped = decodeObject<object>(widget, sent).object
  assert.deepEqual(dropped, {
    metadata: { managedFields: [] },
    spec: { parts: [], raw: {} },
    status: {},
  })
  assert.ok(semanticEqual(object, dropped))
  assert.ok(semanticEqual(dropped, deepClone(object)))
  const withoutStatus = decodeObject<object>(widget, { ...sent, status: null }).object
  assert.ok(!semanticEqual(object, withoutStatus), "an empty struct is not the same as none")
  Object.assign((object as { spec: { limits: object } }).spec.limits, { cpu: "1" })
  assert.ok(!semanticEqual(object, dropped), "a map that was empty may be filled")
})
