/** Protobuf bodies: a value that decodes, or a refusal. */
import { decodeObject, decodeProtobuf, openProtobufEnvelope } from "@knarr/apimachinery"
import { kinds } from "@knarr/api"
import type { Draw } from "../draw.ts"
import { answerOf, defineTarget, expect } from "../target.ts"

function varint(value: number): Buffer {
  const out: number[] = []
  let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)))
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    out.push(rest > 0n ? low | 0x80 : low)
  } while (rest > 0n)
  return Buffer.from(out)
}

function message(draw: Draw, depth: number): Buffer {
  const field = (): Buffer => {
    const number = 1 + draw.count(40)
    const key = (wire: number): Buffer => varint(number * 8 + wire)
    if (draw.chance(0.2)) return Buffer.concat([key(0), varint(draw.pick([0, 1, 80, 2 ** 31, -1, 2 ** 53]))])
    if (draw.chance(0.05)) return Buffer.concat([key(draw.int(8)), Buffer.from(draw.bytes(9), "latin1")])
    const inner = depth > 0 && draw.chance(0.6) ? message(draw, depth - 1) : Buffer.from(draw.name())
    return Buffer.concat([key(2), varint(inner.length), inner])
  }
  return Buffer.concat(draw.list(6, field))
}

export const protobuf = defineTarget<{ kind: string; bytes: string }>({
  name: "protobuf",
  quick: 800,
  open: () => ({
    generate(draw) {
      const raw = message(draw, 6)
      const bytes = Buffer.concat([Buffer.from("k8s\0"), varint(18), varint(raw.length), raw]).toString(
        "latin1",
      )
      return { kind: draw.pick(kinds).kind, bytes: draw.chance(0.3) ? draw.mutate(bytes) : bytes }
    },
    check({ kind: name, bytes }) {
      const kind = kinds.find((one) => one.kind === name)
      const envelope = answerOf(() => openProtobufEnvelope(Buffer.from(bytes, "latin1")))
      const value = kind && envelope && answerOf(() => decodeProtobuf(kind.schema, envelope.raw))
      if (!value) return
      const text = JSON.stringify(value)
      expect(typeof text === "string", "what was decoded is no JSON")
      answerOf(() => decodeObject(kind.schema, JSON.parse(text)))
    },
  }),
})
