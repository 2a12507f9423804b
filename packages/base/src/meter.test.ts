import assert from "node:assert/strict"
import { test } from "node:test"
import { Meter } from "./meter.ts"
import { maxSeries } from "./metric-families.ts"

test("a meter prints what was counted, in order of name, with labels escaped", () => {
  const meter = new Meter()
  meter.gauge({ name: "b", help: "Holds.", stability: "STABLE" }).set(2)
  const counter = meter.counter({ name: "a_total", help: "Counts.", labels: ["x", "y"] })
  counter.add(1, 'quote " and \\', "line\n")
  counter.add(2, "1", "2")
  counter.add(3, "1", "2")
  counter.add(1, "gone", "")
  counter.remove("gone", "")
  const histogram = meter.histogram({ name: "c", help: "Spreads.", labels: ["l"], buckets: [1, 2] })
  for (const value of [0.5, 1, 1.5, 9]) histogram.observe(value, "v")
  assert.equal(
    meter.text(),
    `# HELP a_total [ALPHA] Counts.
# TYPE a_total counter
a_total{x="quote \\" and \\\\",y="line\\n"} 1
a_total{x="1",y="2"} 5
# HELP b [STABLE] Holds.
# TYPE b gauge
b 2
# HELP c [ALPHA] Spreads.
# TYPE c histogram
c_bucket{l="v",le="1"} 2
c_bucket{l="v",le="2"} 3
c_bucket{l="v",le="+Inf"} 4
c_sum{l="v"} 12
c_count{l="v"} 4
`,
  )
})

test("what has no labels begins at zero, and what has some is not there until it has a value", () => {
  const meter = new Meter()
  const labels = ["l"]
  meter.counter({ name: "a", help: "A." })
  meter.counter({ name: "b", help: "B.", labels })
  meter.histogram({ name: "c", help: "C.", buckets: [1], stability: "BETA" })
  meter.histogram({ name: "d", help: "D.", buckets: [1], labels })
  meter.gauge({ name: "e", help: "E.", labels, stability: "" }).set(1, "v")
  meter.collect("gauge", { name: "f", help: "F.", labels }, () => [])
  assert.equal(
    meter.text(),
    `# HELP a [ALPHA] A.
# TYPE a counter
a 0
# HELP c [BETA] C.
# TYPE c histogram
c_bucket{le="1"} 0
c_bucket{le="+Inf"} 0
c_sum 0
c_count 0
# HELP e E.
# TYPE e gauge
e{l="v"} 1
`,
  )
})

test("several owners share a family; values that are read go with their owner", () => {
  const meter = new Meter()
  const options = { name: "depth", help: "Depth.", labels: ["name"] }
  const one = meter.collect("gauge", options, () => [[["one"], 1]])
  meter.collect("gauge", options, () => [[["two"], 2]])
  assert.match(meter.text(), /depth\{name="one"\} 1\ndepth\{name="two"\} 2\n$/)
  one[Symbol.dispose]()
  assert.doesNotMatch(meter.text(), /one/)
  assert.equal(meter.counter({ name: "n", help: "N." }), meter.counter({ name: "n", help: "N." }))
})

test("a name has one shape", () => {
  const meter = new Meter()
  meter.counter({ name: "n", help: "N.", labels: ["a"] })
  assert.throws(() => meter.gauge({ name: "n", help: "N.", labels: ["a"] }), {
    message:
      'Cannot add the metric "n" as gauge with the labels [a]: it exists as counter with the labels [a]',
  })
  assert.throws(() => meter.counter({ name: "n", help: "N." }), /with the labels \[\]: it exists/)
})

test("a family keeps so many series and no more, and what it drops is counted", () => {
  const meter = new Meter()
  const labels = ["l"]
  const counter = meter.counter({ name: "a", help: "A.", labels })
  const gauge = meter.gauge({ name: "b", help: "B.", labels })
  const histogram = meter.histogram({ name: "d", help: "D.", buckets: [1], labels })
  assert.doesNotMatch(meter.text(), /cardinality/)
  for (let i = 0; i < maxSeries + 2; i++) {
    counter.add(1, `${i}`)
    gauge.set(1, `${i}`)
    histogram.observe(1, `${i}`)
  }
  counter.add(1, "0")
  gauge.set(5, "0")
  gauge.remove("1")
  gauge.set(7, "late")
  const text = meter.text()
  for (const [pattern, count] of [
    [/^a\{/gm, maxSeries],
    [/^b\{/gm, maxSeries],
    [/^d_count\{/gm, maxSeries],
    [/^(a\{l="0"\} 2|b\{l="0"\} 5|b\{l="late"\} 7)$/gm, 3],
    [/^cardinality_enforcement_unexpected_categorizations_total 6$/gm, 1],
  ] as const)
    assert.equal(text.match(pattern)?.length, count, String(pattern))
})
