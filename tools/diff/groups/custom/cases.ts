/** Schemas of one field, and values of it. */
export interface Case {
  readonly schema: Record<string, unknown>
  readonly values: readonly unknown[]
}

const object = (
  properties: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Record<string, unknown> => ({
  type: "object",
  properties,
  ...more,
})
const string = { type: "string" }
const integer = { type: "integer" }

const texts: Readonly<Record<string, readonly string[]>> = {
  bsonobjectid: ["507f1f77bcf86cd799439011", "507f1f77bcf86cd79943901"],
  uri: ["http://a.b/c", "mailto:a@b.c", "/abs", "a.b", "", "http://[::1]:80/", "http://a b/"],
  email: ["a@b.c", "a", "A <a@b.c>", "a@b@c", "@b"],
  hostname: ["a.example", "a", "a.b", "-a", "a_b", "a..b", "1.2.3.4"],
  ipv4: ["1.2.3.4", "01.2.3.4", "::1", "1.2.3"],
  ipv6: ["::1", "1.2.3.4", "::ffff:1.2.3.4", "1:2"],
  cidr: ["10.0.0.0/8", "10.0.0.0", "010.0.0.0/8", "::/0", "10.0.0.0/33"],
  mac: [
    "00:00:5e:00:53:01",
    "00-00-5e-00-53-01",
    "0000.5e00.5301",
    "00:00:5e:00:53",
    "02:00:5e:10:00:00:00:01",
  ],
  uuid: ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B8109DAD11D180B400C04FD430C8", "6ba7b810"],
  uuid3: ["6ba7b810-9dad-31d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
  uuid4: ["6ba7b810-9dad-41d1-80b4-00c04fd430c8", "6ba7b810-9dad-41d1-70b4-00c04fd430c8"],
  uuid5: ["6ba7b810-9dad-51d1-80b4-00c04fd430c8", "6ba7b810-9dad-41d1-80b4-00c04fd430c8"],
  isbn: ["0321751043", "978-0321751041", "0321751044"],
  isbn10: ["0321751043", "978-0321751041", "3 401 01319 X"],
  isbn13: ["978-0321751041", "0321751043"],
  creditcard: ["4220855426222389", "4220-8554-2622-2389", "4220855426213389"],
  ssn: ["123-45-6789", "123456789", "123 45 6789"],
  hexcolor: ["#FFF", "fff0", "#ff12FG", "CCccCC"],
  rgbcolor: ["rgb(0, 31, 255)", "rgb(1,349,275)"],
  byte: ["YQ==", "YQ", "Y_Q="],
  password: ["anything"],
  date: ["2024-02-29", "2023-02-29", "2023-1-1", "2023-01-01T00:00:00Z"],
  duration: ["1h", "22 ns", "3 days", "1 fortnight", "x", "-5m", "1.5h", "2 Weeks"],
  "date-time": [
    "2014-12-15T19:30:20.000Z",
    "2014-12-15",
    "2014-12-15t19:30:20+01:00",
    "2014-12-15T24:30:20Z",
  ],
  datetime: ["2014-12-15T19:30:20Z", "2014-12-15"],
  "k8s-short-name": ["a-b", "A", "a.b", "-a"],
  "k8s-long-name": ["a-b.c", "A", ".a", "a..b"],
  unknown: ["anything"],
}

export const cases: readonly Case[] = [
  { schema: string, values: ["a", 1, 1.5, true, null, {}, []] },
  { schema: { type: "string", nullable: true }, values: ["a", null, 1] },
  { schema: integer, values: [1, 1.5, "1", null, true, 1e30, 9007199254740991, -1] },
  { schema: { type: "integer", format: "int32" }, values: [1, 2147483648, -2147483649, 1.5, "a", true, {}] },
  { schema: { type: "integer", format: "int64" }, values: [1, 1.5, 1e19, "a"] },
  { schema: { type: "number" }, values: [1, 1.5, "1", true, 1e300] },
  { schema: { type: "number", format: "float" }, values: [1, 1.5, 1e39, "1"] },
  { schema: { type: "number", format: "double" }, values: [1, 1e300, "1"] },
  { schema: { type: "boolean" }, values: [true, "true", 0, null] },
  { schema: { type: "array", items: string }, values: [[], ["a"], ["a", 1], {}, "a", [null]] },
  { schema: { type: "array", items: { type: "string", nullable: true } }, values: [[null], ["a", 2]] },
  {
    schema: { type: "array", items: integer, minItems: 2, maxItems: 3 },
    values: [[1], [1, 2], [1, 2, 3, 4], ["a"]],
  },
  {
    schema: { type: "string", minLength: 2, maxLength: 3 },
    values: ["a", "ab", "abcd", "äöü", "😀😀", "😀"],
  },
  { schema: { type: "string", pattern: "^[a-z]+$" }, values: ["abc", "A", ""] },
  { schema: { type: "string", pattern: "a\\d" }, values: ["xa1", "a"] },
  { schema: { type: "string", maxLength: 2, pattern: "^a" }, values: ["bbb", "b"] },
  { schema: { type: "string", enum: ["a", "b"] }, values: ["a", "c", ""] },
  { schema: { type: "integer", enum: [1, 2] }, values: [1, 3] },
  { schema: { type: "string", nullable: true, enum: ["a"] }, values: ["a", null] },
  {
    schema: { type: "object", additionalProperties: string, enum: [{ a: "b" }] },
    values: [{ a: "b" }, { a: "c" }],
  },
  { schema: { type: "integer", minimum: 2, maximum: 5 }, values: [1, 2, 5, 6] },
  {
    schema: { type: "integer", minimum: 2, exclusiveMinimum: true, maximum: 5, exclusiveMaximum: true },
    values: [2, 3, 5],
  },
  { schema: { type: "number", minimum: 0.5, maximum: 1.5 }, values: [0.25, 0.5, 1, 2, 1.75] },
  { schema: { type: "number", minimum: 1e21, maximum: 1e-7 }, values: [1] },
  { schema: { type: "integer", minimum: 0.5 }, values: [0, 1] },
  { schema: { type: "integer", multipleOf: 3 }, values: [9, 10] },
  { schema: { type: "number", multipleOf: 0.5 }, values: [1.5, 1.25, 2] },
  { schema: { "x-kubernetes-int-or-string": true }, values: [1, "a", true, 1.5, {}] },
  {
    schema: { "x-kubernetes-int-or-string": true, anyOf: [integer, string], pattern: "^\\d+%$" },
    values: [1, "5%", "a", true],
  },
  {
    schema: object({ a: string, b: integer }, { required: ["a", "c"] }),
    values: [{}, { a: "x", b: 1 }, { a: 1, b: "x", c: 3 }],
  },
  {
    schema: { type: "object", additionalProperties: integer },
    values: [{}, { a: 1 }, { "c.d": "e" }],
  },
  {
    schema: { type: "object", additionalProperties: string, minProperties: 1, maxProperties: 2 },
    values: [{}, { a: "1" }, { a: "1", b: "2", c: "3" }],
  },
  {
    schema: { type: "object", additionalProperties: object({ x: integer }, { required: ["x"] }) },
    values: [{ a: {} }, { a: { x: "y" } }],
  },
  {
    schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    values: [{ a: [1, { b: null }] }, 1],
  },
  { schema: { "x-kubernetes-preserve-unknown-fields": true }, values: [1, "a", null, [], { a: 1 }] },
  {
    schema: object({ a: string, b: string }, { oneOf: [{ required: ["a"] }, { required: ["b"] }] }),
    values: [{}, { a: "x" }, { a: "x", b: "y" }],
  },
  {
    schema: object({ a: string, b: string }, { anyOf: [{ required: ["a"] }, { required: ["b"] }] }),
    values: [{}, { a: "x", b: "y" }],
  },
  {
    schema: object({ a: integer }, { allOf: [{ required: ["a"] }, { properties: { a: { minimum: 3 } } }] }),
    values: [{}, { a: 1 }, { a: 4 }],
  },
  { schema: object({ a: integer }, { allOf: [{ required: ["a"] }] }), values: [{}] },
  { schema: object({ a: integer }, { not: { required: ["a"] } }), values: [{}, { a: 1 }] },
  {
    schema: object(
      { a: integer, b: string },
      {
        oneOf: [
          { properties: { a: { minimum: 5 } }, required: ["a", "b"] },
          { properties: { a: { maximum: 2 } } },
        ],
      },
    ),
    values: [{ a: 3 }, { a: 3, b: "x" }, { a: 1 }, { a: 6, b: "x" }],
  },
  {
    schema: { type: "array", "x-kubernetes-list-type": "set", items: string },
    values: [
      ["a", "b"],
      ["a", "a", "a", "b", "b"],
    ],
  },
  { schema: { type: "array", "x-kubernetes-list-type": "set", items: integer }, values: [[1, 1]] },
  {
    schema: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: object({ name: string, v: integer }, { required: ["name"] }),
    },
    values: [[{ name: "a" }, { name: "b" }], [{ name: "a" }, { name: "a", v: 1 }], [{ v: 1 }], [{}, {}]],
  },
  {
    schema: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["port", "protocol"],
      items: object({ port: integer, protocol: { type: "string", default: "TCP" } }, { required: ["port"] }),
    },
    values: [
      [{ port: 1 }, { port: 1, protocol: "UDP" }],
      [{ port: 1 }, { port: 1, protocol: "TCP" }],
    ],
  },
  {
    schema: {
      type: "object",
      "x-kubernetes-embedded-resource": true,
      "x-kubernetes-preserve-unknown-fields": true,
    },
    values: [
      { apiVersion: "v1", kind: "Pod", metadata: { name: "a" } },
      {},
      { apiVersion: "", kind: "pod_x" },
      { apiVersion: "a/b/c", kind: "Pod" },
      { apiVersion: "v1", kind: "Pod", metadata: { name: "A b", labels: { "a b": "c" } } },
      { apiVersion: "v1", kind: "Pod", metadata: { labels: 1 } },
      { apiVersion: 1, kind: "Pod" },
      { apiVersion: "v1", kind: "Pod", metadata: { unknown: 1 } },
    ],
  },
  ...Object.entries(texts).map(([format, values]) => ({
    schema: { type: "string", format },
    values: [...values, 1],
  })),
]
