import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { ByteQueue } from "./byte-queue.ts"

describe("a queue of octets", () => {
  for (const sizes of [
    [],
    [0],
    [5],
    [1, 1, 1],
    [5000],
    [1, 5000, 1],
    [4095, 4095, 4095, 4095, 4095, 9],
    [5000, 1, 2, 6000],
  ])
    it(`gives what it got, in order: pieces of ${sizes.join(", ") || "nothing"}`, () => {
      const queue = new ByteQueue()
      let next = 0
      const pieces = sizes.map((size) => Buffer.from(Array.from({ length: size }, () => next++ % 251)))
      for (const piece of pieces) queue.add(piece)
      assert.equal(queue.length, next)
      assert.deepEqual(queue.take(), Buffer.concat(pieces))
      assert.deepEqual([queue.length, queue.take().length], [0, 0])
    })

  it("keeps a piece that comes alone as it is", () => {
    const queue = new ByteQueue()
    const piece = Buffer.from("body")
    queue.add(piece)
    assert.equal(queue.take().buffer, piece.buffer)
  })

  it("costs no more for single octets than they are", () => {
    const before = process.memoryUsage()
    const queue = new ByteQueue()
    for (let i = 0; i < 1_000_000; i++) queue.add(Buffer.from([i]))
    const { external, arrayBuffers } = process.memoryUsage()
    assert.ok(external + arrayBuffers - before.external - before.arrayBuffers < 32 * 1024 * 1024)
    assert.equal(queue.length, 1_000_000)
  })
})
