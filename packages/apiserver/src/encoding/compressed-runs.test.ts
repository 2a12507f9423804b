import assert from "node:assert/strict"
import { test } from "node:test"
import type { CachedObject } from "../registry/cached-object.ts"
import { CompressedRuns, endsRun } from "./compressed-runs.ts"

const objectAt = (revision: number): CachedObject =>
  ({ key: `o${revision}`, revision, bytes: Buffer.alloc(1000) }) as CachedObject

/** The runs that a list is sent in. */
function runsOf(objects: readonly CachedObject[]): CachedObject[][] {
  const runs: CachedObject[][] = [[]]
  let bytes = 0
  for (const object of objects) {
    const run = runs.at(-1)!
    run.push(object)
    bytes += object.bytes.length
    if (!endsRun(object, run.length, bytes)) continue
    runs.push([])
    bytes = 0
  }
  return runs.filter((run) => run.length > 0)
}

/** Asks for all runs; returns how many had to be made. */
async function send(kept: CompressedRuns, objects: readonly CachedObject[], form = "json"): Promise<number> {
  let made = 0
  for (const run of runsOf(objects))
    await kept.get(form, run, () => {
      made++
      return Buffer.concat(run.map(({ bytes }) => bytes))
    })
  return made
}

test("a list that is asked for again makes the runs anew in which something changed, and no others", async () => {
  const kept = new CompressedRuns(1024 * 1024)
  const objects = Array.from({ length: 2000 }, (_, i) => objectAt(i * 7 + 3))
  const all = runsOf(objects).length
  assert.ok(all > 10)
  assert.equal(await send(kept, objects), all)
  assert.equal(await send(kept, objects), 0)
  assert.equal(await send(kept, objects, "protobuf"), all)
  for (const [what, changed, atMost] of [
    ["an object is written", objects.with(777, objectAt(20_001)), 1],
    ["the first is written", objects.with(0, objectAt(20_003)), 1],
    ["an object ends a run that did not", objects.with(500, objectAt(20_032)), 2],
    ["one goes", objects.toSpliced(300, 1), 1],
    ["one comes first", [objectAt(20_005), ...objects], 1],
  ] as const) {
    const made = await send(kept, changed)
    assert.ok(made >= 1 && made <= atMost, `${what}: ${made}`)
    await send(kept, objects)
  }
})

test("what is kept is bounded, and what is asked for stays", async () => {
  const kept = new CompressedRuns(64)
  const [asked, ...others] = Array.from({ length: 200 }, (_, i) => objectAt(i))
  for (const object of others) {
    await send(kept, [object])
    await send(kept, [asked!])
  }
  assert.equal(await send(kept, [asked!]), 0)
  assert.equal(await send(kept, [others[0]!]), 1)
})
