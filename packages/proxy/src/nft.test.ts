import assert from "node:assert/strict"
import { test } from "node:test"
import { findRefused } from "./nft.ts"

test("findRefused leaves in what goes together and names the rest", async () => {
  const items = Array.from({ length: 40 }, (_, i) => i)
  const cases: [string, (kept: ReadonlySet<number>) => boolean, number[]][] = [
    ["nothing", () => true, []],
    ["one", (kept) => !kept.has(17), [17]],
    ["the first and the last", (kept) => !kept.has(0) && !kept.has(39), [0, 39]],
    ["many", (kept) => ![3, 4, 5, 30].some((bad) => kept.has(bad)), [3, 4, 5, 30]],
    ["two that do not go together", (kept) => !(kept.has(5) && kept.has(35)), [35]],
    ["all", (kept) => kept.size === 0, items],
  ]
  for (const [what, good, expected] of cases) {
    let tries = 0
    const found = await findRefused(items, async (kept) => {
      tries++
      return good(new Set(kept)) ? undefined : "no"
    })
    assert.deepEqual(
      found.map(({ item }) => item),
      expected,
      what,
    )
    assert.ok(tries <= 2 + 2 * Math.max(1, expected.length) * Math.ceil(Math.log2(items.length) + 1), what)
  }
  await assert.rejects(
    findRefused([1], async () => "no such table"),
    /no such table/,
  )
})
