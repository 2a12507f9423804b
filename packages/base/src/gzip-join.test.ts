import assert from "node:assert/strict"
import { test } from "node:test"
import { gunzipSync } from "node:zlib"
import { deflatePiece, GzipJoin } from "./gzip-join.ts"

const bytesOf = (length: number, seed = 1): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i >> 3)) & 0xff))

for (const lengths of [[], [0], [1], [3, 5], [70_000, 1], [1, 70_000, 0, 12], [300_000, 300_000]])
  test(`A member of pieces of ${lengths.join(", ") || "nothing"} bytes is what gunzip makes one text of`, async () => {
    const join = new GzipJoin()
    const out = [join.begin()]
    const expected: Buffer[] = []
    for (const [at, length] of lengths.entries()) {
      const bytes = bytesOf(length, at)
      const between = Buffer.from(",".repeat(at))
      out.push(join.piece(await deflatePiece(bytes)), join.stored(between))
      expected.push(bytes, between)
    }
    out.push(join.end())
    assert.ok(gunzipSync(Buffer.concat(out)).equals(Buffer.concat(expected)))
  })

test("A piece stands in as many members as one likes, and stored bytes may be long", async () => {
  const piece = await deflatePiece(bytesOf(1000))
  const long = bytesOf(200_000, 3)
  for (const count of [1, 3]) {
    const join = new GzipJoin()
    const parts = [join.begin(), join.stored(long)]
    for (let i = 0; i < count; i++) parts.push(join.piece(piece))
    parts.push(join.end())
    const expected = [long, ...Array.from({ length: count }, () => bytesOf(1000))]
    assert.ok(gunzipSync(Buffer.concat(parts)).equals(Buffer.concat(expected)))
  }
})
