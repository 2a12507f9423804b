import assert from "node:assert/strict"
import { test } from "node:test"
import { ByteArena } from "./byte-arena.ts"

test("buffers of an arena do not overlap, share chunks that grow, and are alone when they are large", () => {
  const arena = new ByteArena(1024)
  const taken = Array.from({ length: 3000 }, (_, i) => arena.copy(Buffer.alloc((i * 7) % 2000, i)))
  taken.forEach((bytes, i) => assert.ok(bytes.equals(Buffer.alloc((i * 7) % 2000, i)), `${i}`))
  const chunks = [...new Set(taken.map(({ buffer }) => buffer))].map(({ byteLength }) => byteLength)
  assert.deepEqual(chunks.slice(0, 4), [1024, 2048, 4096, 8192])
  assert.equal(Math.max(...chunks), 256 * 1024)
  const large = arena.take(40_000)
  assert.equal(large.buffer.byteLength, 40_000)
  arena.clear()
  assert.equal(arena.take(10).buffer.byteLength, 1024)
})
