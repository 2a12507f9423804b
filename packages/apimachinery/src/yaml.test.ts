import assert from "node:assert/strict"
import { test } from "node:test"
import { stringifyYaml } from "./yaml-print.ts"
import { loadYaml } from "./yaml.ts"

const yaml = await loadYaml()

test("printing", () => {
  const value = {
    list: [{ name: "a", v: [1, 2] }, ["x", ["y"]], {}],
    a10: 1,
    a2: 2,
    y: "yes",
    empty: "",
    none: null,
    l: [],
    m: {},
    time: "2024-01-01T00:00:00Z",
    colon: "a: b",
    quote: "it's: x",
    multi: "a\n\nb\n",
    strip: "a\nb",
    keep: "x\n\n",
    indented: "  x\ny\n",
    trailing: "x \ny",
    tab: "a\tb",
    number: "012",
    long: "word ".repeat(20).trim(),
  }
  assert.equal(
    stringifyYaml(value),
    `a2: 2
a10: 1
colon: 'a: b'
empty: ""
indented: |2
    x
  y
keep: |+
  x

l: []
list:
- name: a
  v:
  - 1
  - 2
- - x
  - - "y"
- {}
long: word word word word word word word word word word word word word word word word
  word word word word
m: {}
multi: |
  a

  b
none: null
number: "012"
quote: 'it''s: x'
strip: |-
  a
  b
tab: "a\\tb"
time: "2024-01-01T00:00:00Z"
trailing: "x \\ny"
"y": "yes"
`,
  )
  assert.deepEqual(yaml.parse(stringifyYaml(value)), value)
})

test("plain scalars by Go's rules", () => {
  const cases: Record<string, unknown> = {
    yes: true,
    off: false,
    Y: true,
    "~": null,
    "": null,
    "010": 8,
    "0x1F": 31,
    "0o17": 15,
    "0b11": 3,
    "1_000": 1000,
    "08": 8,
    "1e3": 1000,
    ".5": 0.5,
    "1.": 1,
    "-1": -1,
    "1:20": "1:20",
    "2024-01-01": "2024-01-01",
    "1.2.3": "1.2.3",
    '"1"': "1",
    "'yes'": "yes",
    "!!str 1": "1",
    "0x": "0x",
    nUll: "nUll",
  }
  for (const [text, value] of Object.entries(cases)) {
    assert.deepEqual(yaml.parse(`a: ${text}`), { a: value }, text)
  }
})

test("anchors, merges, keys and documents", () => {
  assert.deepEqual(yaml.parse("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n1: x\ntrue: z"), {
    "1": "x",
    a: { b: 1, c: 2 },
    d: { b: 1, c: 3 },
    true: "z",
  })
  assert.deepEqual(
    yaml.parse(
      "a: &a {k: 1, l: 1, k: 2}\nb: &b {<<: *a, l: 2, m: {w: 1}}\nc: {<<: [*b, {k: 3, o: 3}], __proto__: 4, <<: {__proto__: 5, p: 5}}",
    ),
    JSON.parse(
      '{"a":{"k":2,"l":1},"b":{"l":2,"m":{"w":1},"k":2},"c":{"__proto__":4,"l":2,"m":{"w":1},"k":2,"o":3,"p":5}}',
    ),
  )
  assert.deepEqual(yaml.parseAll('a: 1\n---\n# c\n---\nb: 2\n--- # hi\n{"c": 3}\n'), [
    { a: 1 },
    { b: 2 },
    { c: 3 },
  ])
  assert.equal(yaml.parse(""), null)
})

test("errors", () => {
  assert.throws(() => yaml.parse("a: 1\na: 2", { strict: true }), {
    message: 'yaml: unmarshal errors:\n  line 2: key "a" already set in map',
  })
  assert.throws(() => yaml.parse("x: y\na: b: c"), {
    message: "yaml: line 2: mapping values are not allowed in this context",
  })
  assert.throws(() => yaml.parse("a: *b"), { message: "yaml: unknown anchor 'b' referenced" })
  assert.throws(() => yaml.parse("a: &a [*a]\nb: {<<: *a}"), {
    message: /^yaml: anchor 'a' value contains itself$/,
  })
  assert.throws(() => yaml.parse("a: &a {<<: *a}"), { message: "yaml: anchor 'a' value contains itself" })
  assert.throws(() => yaml.parse("a: &a 1\nb: {<<: *a}"), {
    message: "yaml: map merge requires map or sequence of maps as the value",
  })
  const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"]
  for (let i = 1; i < 9; i++) {
    const name = String.fromCharCode(97 + i)
    const previous = String.fromCharCode(96 + i)
    bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${previous}`).join(",")}]`)
  }
  assert.throws(() => yaml.parse(bomb.join("\n")), { message: "yaml: document contains excessive aliasing" })
})

test("a text is no dearer for being full of errors", async () => {
  const { parse } = await loadYaml()
  const cost = (text: string): number => {
    const before = process.cpuUsage()
    assert.throws(() => parse(text, { strict: true }), /^Error: yaml: /)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  for (const piece of ["{} ", "a: 1\n"]) {
    const [small, large] = [cost(piece.repeat(10_000)), cost(piece.repeat(40_000))]
    assert.ok(large < 12 * small + 400, `${JSON.stringify(piece)}: ${small} ms, then ${large} ms`)
  }
})

test("a chain of merges is read link by link, and one that is long is refused", async () => {
  const { parse } = await loadYaml()
  const chain = (keys: number, links: number): string =>
    [
      `x0: &a0 {${Array.from({ length: keys }, (_, i) => `k${i}: 1`).join(", ")}}`,
      ...Array.from({ length: links }, (_, i) => `x${i + 1}: &a${i + 1} {<<: *a${i}, z${i + 1}: 1}`),
    ].join("\n")
  const before = process.cpuUsage()
  const read = parse(chain(100, 180)) as Record<string, Record<string, number>>
  assert.equal(Object.keys(read["x180"]!).length, 280)
  assert.throws(() => parse(chain(2000, 100)), { message: "yaml: document contains excessive aliasing" })
  const { user, system } = process.cpuUsage(before)
  assert.ok((user + system) / 1000 < 4_000, `${user + system} microseconds`)
})
