/**
 * Uses a store whose disk fills up, and says on its output, at once, what was acknowledged: `put <key>` and
 * `delete <key>`. Ends as by a power cut. Arguments: the store's directory, and what fills the disk: `file` (another
 * file on the same file system) or `limit` (the file size limit that it was started with).
 */
import { execFileSync } from "node:child_process"
import assert from "node:assert/strict"
import { rmSync, writeSync } from "node:fs"
import { Meter, type LogFields, type Logger, silentLogger, systemClock, systemRandom } from "@knarr/base"
import { NoSpaceError } from "../store.ts"
import { openEmbeddedStore } from "./embedded-store.ts"
import { fillDisk } from "./fill-disk.ts"

const [dir, how] = process.argv.slice(2)
const warnings: string[] = []
const log: Logger = {
  ...silentLogger,
  warn: (message: string, _fields?: LogFields) => void warnings.push(message),
}
const env = { clock: systemClock, random: systemRandom, log, meter: new Meter() }
const filler = `${dir}/../filler`

function makeRoom(): void {
  if (how === "limit") execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=unlimited"])
  else rmSync(filler)
}

let store = await openEmbeddedStore({ dir: dir!, env })
const seen: number[] = []
const stop = new AbortController()
const watching = (async () => {
  for await (const batch of store.watch({ prefix: "", from: 2, signal: stop.signal }))
    seen.push(...batch.map((event) => event.revision))
})()
const kept = new Set<string>()
const sizes = [20_000, 800_000, 300, 50_000]
let refused = 0

async function put(key: string, bytes: number): Promise<boolean> {
  try {
    await store.put(key, Buffer.alloc(bytes, key))
    kept.add(key)
    writeSync(1, `put ${key}\n`)
    return true
  } catch (thrown) {
    assert.ok(thrown instanceof NoSpaceError, String(thrown))
    refused++
    return false
  }
}

async function remove(key: string): Promise<void> {
  await store.delete(key)
  kept.delete(key)
  writeSync(1, `delete ${key}\n`)
}

for (let i = 0; i < 16; i++) await put(`/first/${i}`, sizes[i % sizes.length]!)
assert.equal(refused, 0)
if (how === "file") fillDisk(filler)
let last = 0
for (let i = 0; refused < 100; i++) {
  assert.ok(i < 2000, "the disk never was full")
  last = i
  await Promise.all([1, 2, 3].map((n) => put(`/more/${i}/${n}`, sizes[(i + n) % sizes.length]!)))
}
assert.equal(await put("/refused", 10), false)
assert.deepEqual(warnings, ["The disk of the store is full: only deletions are accepted"])
// Reading goes on, and what only frees is done.
const full = await store.range({ prefix: "" })
assert.deepEqual(new Set(full.kvs.map(({ key }) => key)), kept)
for (let i = 0; i < 8; i++) await remove(`/first/${i}`)
await Promise.all([8, 9, 10, 11].map((i) => remove(`/first/${i}`)))
await store.compact(store.revision)
await store.compact(store.revision)
assert.equal((await store.get("/first/12"))!.value.length, sizes[0])
if (how === "file") {
  stop.abort()
  await assert.rejects(watching)
  await store[Symbol.asyncDispose]()
  // What the store left of the disk, somebody else takes; it opens all the same.
  fillDisk(filler)
  store = await openEmbeddedStore({ dir: dir!, env })
  assert.equal((await store.range({ prefix: "" })).count, kept.size)
  await put("/while full", 800_000)
  await remove("/first/12")
}
makeRoom()
assert.ok(await put(`/after/${last}`, 800_000))
assert.ok(await put("/after", 20_000))
if (how === "limit") {
  stop.abort()
  await assert.rejects(watching)
  assert.deepEqual(
    seen,
    Array.from({ length: store.revision - 1 }, (_, i) => i + 2),
  )
}
process.kill(process.pid, "SIGKILL")
