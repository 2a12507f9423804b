/**
 * Makes the file of a store smaller again and again while another file fills the disk, each time at another moment of
 * the copy, and says on its output, at once, what was acknowledged: `put <key>`. Ends as by a power cut. Argument: the
 * store's directory, on a file system of its own.
 */
import assert from "node:assert/strict"
import { readdirSync, rmSync, writeSync } from "node:fs"
import { setImmediate } from "node:timers/promises"
import { Meter, silentLogger, systemClock, systemRandom } from "@knarr/base"
import { NoSpaceError } from "../store.ts"
import { openEmbeddedStore } from "./embedded-store.ts"
import { fillDisk } from "./fill-disk.ts"

const dir = process.argv[2]!
const filler = `${dir}/../filler`
const warnings: string[] = []
const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
const store = await openEmbeddedStore({
  dir,
  env: { clock: systemClock, random: systemRandom, log, meter: new Meter() },
})

async function put(key: string, bytes: number): Promise<boolean> {
  try {
    await store.put(key, Buffer.alloc(bytes, key))
    writeSync(1, `put ${key}\n`)
    return true
  } catch (thrown) {
    assert.ok(thrown instanceof NoSpaceError, String(thrown))
    return false
  }
}

for (let i = 0; i < 200; i++) assert.ok(await put(`/kept/${i}`, 20_000))
let whole = 0
let given = 0
for (let turns = 0; whole < 3; turns = turns * 2 + 1) {
  assert.ok(turns < 10_000, "the copy never was done before the disk was full")
  const copying = store.defragment()
  for (let turn = 0; turn < turns; turn++) {
    if (turn % 8 === 0) await put(`/meanwhile/${turn % 5}`, 5000)
    await setImmediate()
  }
  fillDisk(filler)
  // What the copy holds is the first room that writes get.
  await Promise.all([0, 1, 2].map((n) => put(`/full/${n}`, 400_000)))
  if (await copying) whole++
  else given++
  assert.ok(!readdirSync(dir).some((name) => name.includes("copy")), "a copy was left behind")
  assert.equal((await store.get("/kept/7"))!.value.length, 20_000)
  rmSync(filler)
  assert.ok(await put(`/after/${turns}`, 100))
  await store.compact(store.revision)
}
assert.ok(given >= 3, `${given} copies met a full disk`)
for (const message of warnings) assert.match(message, /^The disk of the store is full/)
process.kill(process.pid, "SIGKILL")
