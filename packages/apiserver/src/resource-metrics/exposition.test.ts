import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { maxAgeMs, maxAheadMs, maxLineLength, readExposition } from "./exposition.ts"
import { knownNodeUsage, knownPodUsage, usageBetween } from "./usage.ts"

const nowMs = 1_800_000_000_000
const good = '{container="app",namespace="d",pod="good"}'
const bad = '{container="app",namespace="d",pod="bad"}'

/** What a container uses, as its kubelet tells it. */
function told(
  labels: string,
  cpu: string | number = 5,
  memory: string | number = 1024,
  time: string | number = nowMs,
): string {
  return [
    `container_cpu_usage_seconds_total${labels} ${cpu} ${time}`,
    `container_memory_working_set_bytes${labels} ${memory} ${time}`,
    `container_start_time_seconds${labels} 1.6e+09`,
  ].join("\n")
}

const podsOf = (text: string): string[] => [...readExposition(text, nowMs).pods.keys()]

describe("what a node tells that cannot be", () => {
  const word = "a".repeat(maxLineLength)
  for (const [what, text] of [
    ["a line that is too long", told(`{container="app",namespace="d",pod="bad",x="${word}"}`)],
    ["labels that are a word", told(`{${"a".repeat(1000)}}`)],
    ["labels without a pod", told('{container="app",namespace="d"}')],
    ["labels without an end", told('{container="app",namespace="d",pod="bad')],
    ["nothing but back-slashes", told(`{pod="${"\\".repeat(1001)}`)],
    ["a time ahead", told(bad, 5, 1024, nowMs + maxAheadMs + 1)],
    ["a time long ago", told(bad, 5, 1024, nowMs - maxAgeMs - 1)],
    ["a time past every date", told(bad, 5, 1024, "9".repeat(30))],
    ["a time past every number", told(bad, 5, 1024, "9".repeat(400))],
    ["a time below none", told(bad, 5, 1024, -1)],
    ["seconds that are no number", told(bad, "NaN")],
    ["endless seconds", told(bad, "+Inf")],
    ["seconds past every number", told(bad, "1e999")],
    ["seconds below none", told(bad, -1)],
    ["memory that is no number", told(bad, 5, "NaN")],
    ["memory past every number", told(bad, 5, "1e999")],
    ["memory that no number holds exactly", told(bad, 5, "1e300")],
    ["parts of bytes", told(bad, 5, 1024.5)],
    ["memory below none", told(bad, 5, -1)],
  ] as const)
    it(`${what} is passed over, and what others use is told`, () => {
      assert.deepEqual(podsOf([text, told(good), text].join("\n")), ["d/good"])
      const ofNode = text.replaceAll("container_", "node_").replaceAll(/\{.*\}/g, "")
      if (text.includes(bad)) assert.equal(readExposition(ofNode, nowMs).node, undefined)
    })

  it("labels end at the first thing that is none", () => {
    const text = told(`{container="app", namespace="d",pod="p",x,pod="other"}`)
    assert.deepEqual(podsOf(text), ["d/p"])
  })

  it("times as wrong as a node's clock may be are taken", () => {
    for (const time of [nowMs + maxAheadMs, nowMs - maxAgeMs])
      assert.deepEqual(podsOf(told(bad, 5, 1024, time)), ["d/bad"])
  })
})

describe("use that cannot be", () => {
  const point = { atMs: nowMs, startedMs: 0, cpuSeconds: 10, memoryBytes: 1024 }
  const earlier = { ...point, atMs: nowMs - 10_000, cpuSeconds: 5 }
  const cases = [
    ["no number", Number.NaN],
    ["endless", Infinity],
    ["below none", -1],
    ["past what a number holds exactly", 2 ** 60],
  ] as const
  for (const [what, amount] of cases)
    it(`${what} is not told between two looks, nor of who is known`, () => {
      assert.ok(usageBetween(earlier, point))
      assert.equal(usageBetween(earlier, { ...point, cpuSeconds: amount }), undefined)
      assert.equal(usageBetween(earlier, { ...point, memoryBytes: amount }), undefined)
      for (const wrong of ["cpuNanoCores", "memoryBytes"]) {
        const known = { cpuNanoCores: 1000, memoryBytes: 1024 }
        const uses = new Map([
          [
            "d/p",
            new Map([
              ["good", known],
              ["bad", { ...known, [wrong]: amount }],
            ]),
          ],
        ])
        assert.deepEqual(
          knownPodUsage("d/p", uses, nowMs)?.containers.map(({ name }) => name),
          ["good"],
        )
        assert.equal(knownNodeUsage(uses, nowMs)?.memory.toString(), "1Ki")
      }
    })

  it("is what there was in no time, or an endless one", () => {
    for (const atMs of [earlier.atMs, earlier.atMs - 1, Number.NaN, Infinity])
      assert.equal(usageBetween(earlier, { ...point, atMs }), undefined)
  })

  it("of all containers together is not told either", () => {
    const half = { cpuNanoCores: 1, memoryBytes: Number.MAX_SAFE_INTEGER }
    const uses = new Map([
      [
        "d/p",
        new Map([
          ["a", half],
          ["b", half],
        ]),
      ],
    ])
    assert.equal(knownPodUsage("d/p", uses, nowMs)?.containers.length, 2)
    assert.equal(knownNodeUsage(uses, nowMs), undefined)
  })
})

describe("a look at a node's answer costs what it is long, not its square", () => {
  const name = "container_cpu_usage_seconds_total"
  const full = maxLineLength - name.length - 4
  const lines = (one: string, bytes: number): string => `${one}\n`.repeat(Math.ceil(bytes / (one.length + 1)))
  for (const [what, textOf] of [
    ["one word in place of labels", (bytes) => `${name}{${"a".repeat(bytes)}} 1`],
    [
      "words in place of labels, as long as a line may be",
      (bytes) => lines(`${name}{${"a".repeat(full)}} 1`, bytes),
    ],
    ["a value without an end", (bytes) => `${name}{a="${"a".repeat(bytes)}} 1`],
    ["values without an end", (bytes) => lines(`${name}{a="${"\\a".repeat(full / 2 - 2)}} 1`, bytes)],
    ["labels without an end", (bytes) => `${name}{${'a="b",'.repeat(bytes / 6)}`],
    ["short labels", (bytes) => lines(`${name}{${'a="",'.repeat(full / 5)}} 1`, bytes)],
    ["a number without an end", (bytes) => `${name} ${"1".repeat(bytes)} x`],
    ["nothing but ends of lines", (bytes) => "\n".repeat(bytes)],
  ] satisfies [string, (bytes: number) => string][])
    it(what, () => {
      const cost = (bytes: number): number => {
        const text = textOf(bytes)
        const before = process.cpuUsage()
        readExposition(text, nowMs)
        const { user, system } = process.cpuUsage(before)
        return (user + system) / 1000
      }
      const [small, large] = [cost(50_000), cost(200_000)]
      assert.ok(large < 10 * small + 100, `${small} ms, then ${large} ms`)
    })
})
