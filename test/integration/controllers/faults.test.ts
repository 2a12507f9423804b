/**
 * Whatever strikes controllers, the end is the same: their process is killed at a write, the answer to a write is lost, what they
 * watch comes late, twice or anew. All at once by default; with KNARR_FAULTS=all each by itself, at each write of
 * every scenario.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { scenarios } from "./fault-scenarios.ts"
import { play, type Faults } from "./fault-world.ts"

const all = process.env["KNARR_FAULTS"] === "all"

function faultsOf(writes: number): Faults[] {
  const at = (share: number): number => Math.ceil(writes * share)
  if (!all) return [{ killedAt: [at(0.3), writes], answerLostAt: [at(0.6)], watchSeed: 2 }]
  const every = Array.from({ length: writes }, (_, i) => i + 1)
  return [
    ...every.map((one) => ({ killedAt: [one] })),
    ...every.map((one) => ({ answerLostAt: [one] })),
    ...[1, 2, 3, 4, 5, 6].map((watchSeed) => ({ watchSeed })),
  ]
}

for (const [name, scenario] of Object.entries(scenarios))
  test(`Under every fault ${name}`, async (t) => {
    const { writes, ...calm } = await play(scenario, {})
    assert.ok(writes > 0, "the controllers wrote nothing")
    const faults = faultsOf(writes)
    for (const one of faults) {
      const { writes: _writes, ...outcome } = await play(scenario, one)
      assert.deepEqual(outcome, calm, JSON.stringify(one))
    }
    t.diagnostic(`${writes} writes, ${faults.length} faults`)
  })
