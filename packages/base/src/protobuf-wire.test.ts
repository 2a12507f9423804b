import assert from "node:assert/strict"
import { test } from "node:test"
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire"
import { WireError, WireReader, WireWriter } from "./protobuf-wire.ts"

const numbers = [0, 1, -1, 127, 128, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1]

test("Numbers, texts and messages are those of another implementation", () => {
  const writer = new WireWriter()
  const theirs = new BinaryWriter()
  for (const value of numbers) {
    writer.tag(1, 0)
    writer.int64(value)
    theirs.tag(1, 0).int64(BigInt(value))
  }
  for (const length of [0, 1, 127, 128, 16_383, 16_384, 2_100_000]) {
    writer.tag(2000, 2)
    writer.delimited(() => {
      writer.tag(3, 2)
      writer.string("ü".repeat(length))
    })
    theirs.tag(2000, 2).fork().tag(3, 2).string("ü".repeat(length)).join()
  }
  writer.tag(4, 1)
  writer.double(0.1)
  writer.tag(5, 5)
  writer.float(0.5)
  theirs.tag(4, 1).double(0.1).tag(5, 5).float(0.5)
  const bytes = writer.finish()
  assert.ok(bytes.equals(theirs.finish()))

  const reader = new WireReader(bytes)
  const seen: unknown[] = []
  while (reader.next()) {
    if (reader.number === 1) seen.push(reader.int64())
    else if (reader.number === 4) seen.push(reader.double())
    else if (reader.number === 5) seen.push(reader.float())
    else {
      const inner = reader.message()
      assert.ok(inner.next())
      seen.push(inner.string().length)
      assert.ok(inner.atEnd)
    }
  }
  assert.deepEqual(seen, [...numbers, 0, 1, 127, 128, 16_383, 16_384, 2_100_000, 0.1, 0.5])
})

test("Integers beyond their range are clamped to it", () => {
  for (const [value, read] of [
    [2 ** 63, 2n ** 63n - 1n],
    [2 ** 64, 2n ** 64n - 1n],
    [2 ** 70, 2n ** 64n - 1n],
  ] as const) {
    const writer = new WireWriter()
    writer.int64(value)
    assert.equal(BigInt(new BinaryReader(writer.finish()).uint64()), read)
  }
})

test("What is no message is refused", () => {
  const cases: readonly (readonly [string, readonly number[], (r: WireReader) => void, RegExp])[] = [
    ["a varint that is cut short", [8, 128], (r) => void r.int64(), /unexpected EOF/],
    ["a varint without end", [8, ...Array<number>(11).fill(255)], (r) => void r.int64(), /integer overflow/],
    [
      "a skipped varint without end",
      [8, ...Array<number>(11).fill(255)],
      (r) => r.skip(),
      /integer overflow/,
    ],
    ["bytes longer than the rest", [10, 200, 1, 0], (r) => void r.bytes(), /unexpected EOF/],
    ["a length of 2^60", [10, 128, 128, 128, 128, 128, 128, 128, 128, 16], (r) => r.skip(), /unexpected EOF/],
    ["half a double", [9, 0, 0], (r) => void r.double(), /unexpected EOF/],
    ["half a skipped double", [9, 0, 0], (r) => r.skip(), /unexpected EOF/],
    ["half a float", [13, 0], (r) => void r.float(), /unexpected EOF/],
    ["a group", [11, 12], (r) => r.skip(), /illegal wireType 3/],
    ["a number for a text", [8, 1], (r) => void r.string(), /wrong wireType = 0 for field 1/],
    ["a text for a number", [10, 1, 65], (r) => void r.uint64(), /wrong wireType = 2 for field 1/],
    ["a float for a double", [13, 0, 0, 0, 0], (r) => void r.double(), /wrong wireType = 5 for field 1/],
  ]
  for (const [name, bytes, read, message] of cases) {
    const reader = new WireReader(Buffer.from(bytes))
    assert.ok(reader.next(), name)
    assert.throws(
      () => read(reader),
      (thrown) => thrown instanceof WireError && message.test(thrown.message),
      name,
    )
  }
})

test("A message inside another cannot reach beyond it", () => {
  const reader = new WireReader(Buffer.from([10, 2, 10, 5, 65, 65, 65, 65, 65]))
  assert.ok(reader.next())
  const inner = reader.message()
  assert.ok(inner.next())
  assert.throws(() => inner.string(), /unexpected EOF/)
})

test("A packed list is read to its end", () => {
  const reader = new WireReader(Buffer.from([10, 3, 1, 172, 2, 16, 7]))
  assert.ok(reader.next())
  const packed = reader.packed(0)
  const list: number[] = []
  while (!packed.atEnd) list.push(packed.int64())
  assert.deepEqual(list, [1, 300])
  assert.ok(reader.next())
  assert.deepEqual([reader.number, reader.int64(), reader.next()], [2, 7, false])
})

test("a writer is used again, and takes texts of any length and fields that were encoded before", () => {
  const writer = new WireWriter()
  for (const text of ["", "plain", "ü", "x".repeat(63), "ü".repeat(63), "x".repeat(64), "x".repeat(70_000)]) {
    writer.reset()
    const inner = new WireWriter()
    inner.tag(1, 2)
    inner.string(text)
    writer.tag(2, 2)
    const start = writer.open()
    writer.encoded(inner.finish())
    writer.close(start)
    const reader = new WireReader(writer.finish())
    assert.ok(reader.next())
    const message = reader.message()
    assert.ok(message.next())
    assert.equal(message.string(), text)
    assert.ok(message.atEnd && reader.atEnd)
  }
})
