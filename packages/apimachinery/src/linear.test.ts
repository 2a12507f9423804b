import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { goSyntaxError, parseJson } from "@knarr/base"
import { parseGoDuration } from "./duration.ts"
import { parseFieldSelector } from "./field-selector.ts"
import { parseSelector, selectorFrom } from "./label-selector.ts"
import { isDNS1123Label, isDNS1123Subdomain, isQualifiedName, isValidLabelValue } from "./names.ts"
import { canonicalQuantity } from "./quantity.ts"
import { resolvePlain } from "./yaml-resolve.ts"

/** What reads text of clients, and what each of them finds hardest. */
const readers: readonly (readonly [
  name: string,
  read: (text: string) => unknown,
  hard: readonly string[],
])[] = [
  ["quantities", canonicalQuantity, ["0", "1", "9", ".", "1.", "0.", "E", "e1", "-", "Ki"]],
  ["durations", parseGoDuration, ["1", "1h", ".", "1.", "h", ".1s", "-"]],
  ["label selectors", parseSelector, ["a", ",", "a,", "!", "=", "(", "a in (b),", " ", "a=b,", ">", "-"]],
  [
    "values to compare",
    (text) => selectorFrom({ matchExpressions: [{ key: "a", operator: "Gt" as "In", values: [text] }] }),
    ["1", "0"],
  ],
  [
    "field selectors",
    parseFieldSelector,
    ["a", ",", "=", "!", "metadata.name=", "\\", "\\\\", "+", " ", "!="],
  ],
  ["names", isDNS1123Subdomain, ["a", "-", ".", "a.", "A", "a-"]],
  ["labels", isDNS1123Label, ["a", "-", "a-"]],
  ["qualified names", isQualifiedName, ["a", "/", "a/", ".", "-", "a."]],
  ["label values", isValidLabelValue, ["a", "-", ".", "a."]],
  ["JSON", parseJson, ["[", '{"a":', '"', "\\", "1", " ", "[]", "{", "null", "[1,", '"\\"']],
  ["what is wrong with JSON", goSyntaxError, ["1", " ", '"a', "\\", "nul"]],
  ["YAML's plain words", resolvePlain, ["1", "0", "1:", "1_", ".", "e", "-", "0x", "9"]],
]

/** Milliseconds of the processor that a call takes; what it throws is its answer. */
function cost(read: (text: string) => unknown, text: string): number {
  const before = process.cpuUsage()
  try {
    read(text)
  } catch (thrown) {
    assert.ok(thrown instanceof Error && !(thrown instanceof RangeError), String(thrown))
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

describe("The work is proportional to the text, whatever it is, for", () => {
  for (const [name, read, hard] of readers)
    it(name, () => {
      for (const word of hard)
        for (const end of ["", "!", "\u0001"]) {
          const text = (length: number): string => word.repeat(length / word.length) + end
          const [small, large] = [cost(read, text(25_000)), cost(read, text(100_000))]
          // Four times the text: sixteen times the work would be its square, and seconds.
          assert.ok(large < 12 * small + 400, `${JSON.stringify(word + end)}: ${small} ms, then ${large} ms`)
        }
    })
})
