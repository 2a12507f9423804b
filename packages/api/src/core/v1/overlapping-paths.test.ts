import assert from "node:assert/strict"
import { test } from "node:test"
import { overlappingPathWarnings } from "./overlapping-paths.ts"
import type { Volume } from "./types.gen.ts"

const volumeOf = (paths: readonly string[]): Volume[] => [
  { name: "v", configMap: { name: "m", items: paths.map((path) => ({ key: "k", path })) } },
]
const warning = (one: string, other: string): string =>
  `volume "v" (ConfigMap "m"): overlapping paths: "${one}" with "${other}"`

const cases: { what: string; paths: string[]; pairs: [string, string][] }[] = [
  { what: "names that begin alike are apart", paths: ["a", "ab", "a-/b", "b/a"], pairs: [] },
  {
    what: "one path twice",
    paths: ["a", "b", "a/", "a"],
    pairs: [
      ["a", "a"],
      ["a", "a"],
      ["a", "a"],
    ],
  },
  { what: "a file below another", paths: ["a/b", "a/b/c/d"], pairs: [["a/b/c/d", "a/b"]] },
  {
    what: "in the order of the files, whichever lies above",
    paths: ["a/b/c", "x", "a", "a/b/d", "a/b"],
    pairs: [
      ["a", "a/b/c"],
      ["a/b/d", "a"],
      ["a/b", "a/b/c"],
      ["a/b", "a"],
      ["a/b", "a/b/d"],
    ],
  },
  {
    what: "doubled slashes part names",
    paths: ["a//b", "a/b", "a"],
    pairs: [
      ["a", "a//b"],
      ["a", "a/b"],
    ],
  },
  { what: "no path at all", paths: ["", "/", "a"], pairs: [] },
]
for (const { what, paths, pairs } of cases)
  test(`overlapping paths: ${what}`, () =>
    assert.deepEqual(
      overlappingPathWarnings(volumeOf(paths)),
      pairs.map(([one, other]) => warning(one, other)),
    ))

test("many files cost what each of them costs, and what is told of them has a bound", () => {
  const numbered = Array.from({ length: 60_000 }, (_, i) => `p${i}/x`)
  const same = Array.from({ length: 60_000 }, () => "p")
  const deep = "d/".repeat(400_000)
  const before = process.cpuUsage()
  assert.deepEqual(overlappingPathWarnings(volumeOf(numbered)), [])
  assert.equal(overlappingPathWarnings(volumeOf(same)).length, 1000)
  assert.equal(
    overlappingPathWarnings(volumeOf([deep, ...Array.from({ length: 50 }, (_, i) => "d/".repeat(i + 1))]))
      .length,
    32,
  )
  const { user, system } = process.cpuUsage(before)
  assert.ok(user + system < 6e6, `${user + system} microseconds`)
})
