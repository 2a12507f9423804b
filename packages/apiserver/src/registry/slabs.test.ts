import assert from "node:assert/strict"
import { test } from "node:test"
import { ByteArena, randomInt, seededRandom } from "@knarr/base"
import { Slabs, type Resident } from "./slabs.ts"

test("bytes survive moving, and half-dead slabs are given up", () => {
  const slabs = new Slabs()
  const history = new ByteArena()
  const random = seededRandom(5)
  const living: { resident: Resident; text: string }[] = []
  for (let i = 0; i < 4000; i++) {
    const text = `${i}:`.padEnd(randomInt(random, 4000) + 10, "x")
    const resident: Resident = { bytes: Buffer.from(text), slab: undefined }
    slabs.adopt(resident)
    living.push({ resident, text })
    if (living.length > 300) {
      const [gone] = living.splice(randomInt(random, living.length), 1)
      slabs.release(gone!.resident, history)
      assert.equal(gone!.resident.bytes.toString(), gone!.text)
    }
  }
  for (const { resident, text } of living) assert.equal(resident.bytes.toString(), text)
  const used = new Set(living.map(({ resident }) => resident.bytes.buffer))
  const bytes = living.reduce((sum, { text }) => sum + text.length, 0)
  assert.ok(used.size * 256 * 1024 < bytes * 2 + 2 * 256 * 1024, `${used.size} slabs for ${bytes} bytes`)
  const large: Resident = { bytes: Buffer.alloc(100_000), slab: undefined }
  slabs.adopt(large)
  assert.equal(large.slab, undefined)
})
