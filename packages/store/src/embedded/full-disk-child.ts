/** Fills the room that its file size limit leaves, then has the limit lifted. Argument: directory. */
import { execFileSync } from "node:child_process"
import assert from "node:assert/strict"
import { silentLogger, systemClock, systemRandom } from "@knarr/base"
import { NoSpaceError } from "../store.ts"
import { openEmbeddedStore } from "./embedded-store.ts"

const env = { clock: systemClock, random: systemRandom, log: silentLogger }
const dir = process.argv[2]!
await using store = await openEmbeddedStore({ dir, env })
const seen: number[] = []
const stop = new AbortController()
const watching = (async () => {
  for await (const batch of store.watch({ prefix: "", from: 2, signal: stop.signal }))
    seen.push(...batch.map((event) => event.revision))
})()
const value = Buffer.alloc(20_000, 1)
let written = 0
for (let failed = false; !failed;) {
  const results = await Promise.allSettled([
    store.put(`/${written}`, value),
    store.put("/same", value),
    store.put("/same", value, { expected: 0 }),
  ])
  for (const result of results) {
    if (result.status === "rejected") assert.ok(result.reason instanceof NoSpaceError, String(result.reason))
    failed ||= result.status === "rejected"
  }
  if (!failed) written++
  assert.ok(written < 1000, "the limit was never reached")
}
assert.ok(written > 5)
const full = await store.range({ prefix: "" })
assert.equal(full.count, written + 1)
assert.equal(full.revision, 1 + 2 * written)
assert.equal((await store.get("/0"))!.value.length, value.length)
execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=unlimited"])
const after = await store.put("/after", value)
assert.equal(after.revision, full.revision + 1)
assert.equal((await store.get("/after"))!.modRevision, after.revision)
stop.abort()
await assert.rejects(watching)
assert.deepEqual(
  seen,
  Array.from({ length: after.revision - 1 }, (_, i) => i + 2),
)
