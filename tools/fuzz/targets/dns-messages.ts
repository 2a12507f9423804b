/** DNS messages: dns-packet reads the same questions and answers as we do, and can read what we write. */
import packet, { type Packet } from "dns-packet"
import {
  isQuery,
  readAnswer,
  readQuery,
  writeAnswer,
  writeFailure,
  writeQuery,
} from "../../../packages/dns/src/message.ts"
import type { Draw } from "../draw.ts"
import { answerOf, defineTarget, expect } from "../target.ts"

const names = [
  "web.default.svc.cluster.local",
  "a",
  "",
  "x.y.z",
  "_http._tcp.db.default.svc.cluster.local",
  "A.B",
]
const types = ["A", "AAAA", "SRV", "PTR", "TXT", "CNAME", "SOA", "ANY", "OPT", "CAA", "MX"] as const

export function dnsQuestion(draw: Draw): Buffer {
  const name = (): string =>
    draw.chance(0.2) ? "a".repeat(draw.int(64)) + ".b".repeat(draw.int(130)) : draw.pick(names)
  const opt = {
    type: "OPT",
    name: ".",
    udpPayloadSize: draw.pick([0, 12, 512, 1232, 65535]),
    flags: 0,
    options: [],
  }
  const message = {
    type: draw.pick(["query", "query", "query", "response"]),
    id: draw.int(65536),
    flags: draw.pick([0, 0x100, 0x7800, 0xffff]),
    questions: [{ name: name(), type: draw.pick(types), class: draw.pick(["IN", "IN", "CH", "ANY"]) }],
    answers: draw.chance(0.2) ? [{ type: "A", name: name(), ttl: 1, data: "1.2.3.4" }] : [],
    additionals: draw.chance(0.5) ? [opt] : [],
  }
  try {
    return packet.encode(message as unknown as Packet)
  } catch {
    return Buffer.from("\0\x01\x01\0\0\x01\0\0\0\0\0\0\0\0\x01\0\x01", "latin1")
  }
}

/** dns-packet's view; undefined when it refuses. */
function decoded(bytes: Buffer): packet.DecodedPacket | undefined {
  try {
    return packet.decode(bytes)
  } catch {
    return undefined
  }
}

export const dnsMessages = defineTarget<{ bytes: string; count: number; limit: number }>({
  name: "dns-messages",
  quick: 1000,
  open: () => ({
    generate(draw) {
      const bytes = dnsQuestion(draw).toString("latin1")
      return {
        bytes: draw.chance(0.5) ? draw.mutate(bytes) : bytes,
        count: draw.count(40),
        limit: draw.pick([512, 1232, 65_535]),
      }
    },
    check({ bytes: text, count, limit }) {
      const bytes = Buffer.from(text, "latin1")
      const other = decoded(bytes)
      const answer = readAnswer(bytes)
      if (answer && other)
        expect(answer.rcode === (bytes[3]! & 0xf), "the code of an answer is another", text)
      if (!isQuery(bytes)) return
      const failure = writeFailure(bytes, 1)
      expect(
        failure.length === 12 && failure.readUInt16BE(0) === bytes.readUInt16BE(0),
        "a failure is no answer",
        text,
      )
      const query = readQuery(bytes)
      if (!query) return
      const question = other?.questions?.[0]
      // A dot within a label, and other encodings, are things that dns-packet does not know.
      if (question && query.question.name !== "" && /^[\x21-\x5b\x5d-\x7e]*$/.test(query.question.name))
        expect(
          question.name.toLowerCase() === query.question.name,
          "the question is another",
          query.question.name,
          question.name,
        )
      if (Number.isNaN(count) || !(limit >= 512)) return
      const data = (i: number): string => `10.0.${i >> 8}.${i & 255}`
      const answers = Array.from({ length: count }, (_, i) => ({
        ...{ name: query.question.name, type: "A", ttl: 5, data: data(i) },
      }))
      const raw = writeAnswer(
        bytes,
        query,
        { rcode: 0, answers, authorities: [], additionals: [] },
        { limit, ownUdpBytes: 1232 },
      )
      expect(raw.length <= limit, "an answer is too long", raw.length, limit)
      const read = decoded(raw)
      const mine = readAnswer(raw)
      expect(mine && mine.rcode === 0, "we cannot read our own answer", raw.toString("latin1"))
      expect(
        mine.records.length === count || (raw[2]! & 2) !== 0,
        "records are missing without a mark",
        raw.toString("latin1"),
      )
      for (const [i, record] of mine.records.entries())
        expect(
          record.data === data(i) && record.name.toLowerCase() === query.question.name,
          "a record is another",
          record,
        )
      if (read && question)
        expect(
          (read.answers?.length ?? 0) === mine.records.length,
          "others read other records",
          raw.toString("latin1"),
        )
      const asked = answerOf(() => writeQuery(7, query.question.name, "A"))
      if (asked)
        expect(
          readQuery(asked)?.question.name === query.question.name,
          "our own question is another",
          query.question.name,
        )
    },
  }),
})
