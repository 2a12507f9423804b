import assert from "node:assert/strict"
import { test } from "node:test"
import packet from "dns-packet"
import { seededRandom } from "@knarr/base"
import { isQuery, readAnswer, readQuery, writeAnswer, writeQuery, type MessageRecord } from "./message.ts"

function query(name: string, type: "A" | "SRV" = "A", udpPayloadSize?: number): Buffer {
  const opt = {
    type: "OPT",
    name: ".",
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    options: [],
  }
  return packet.encode({
    type: "query",
    id: 7,
    flags: 0x100,
    questions: [{ type, name }],
    additionals: udpPayloadSize === undefined ? [] : [opt as never],
  })
}

function answer(
  asked: Buffer,
  answers: MessageRecord[],
  limit: number,
  additionals: MessageRecord[] = [],
): Buffer {
  const read = readQuery(asked)
  assert.ok(read)
  const parts = { rcode: 0, answers, authorities: [], additionals }
  return writeAnswer(asked, read, parts, { limit, ownUdpBytes: 1232 })
}

test("Answers are compressed, are cut where they end, and others can read them", () => {
  const name = "db.default.svc.cluster.local"
  const records = (count: number): MessageRecord[] =>
    Array.from({ length: count }, (_, i) => ({
      name,
      type: "A",
      ttl: 30,
      data: `10.244.${i >> 8}.${i & 255}`,
    }))
  const cases: [number | undefined, number, number][] = [
    [undefined, 512, 29],
    [512, 512, 28],
    [1232, 1232, 73],
    [undefined, 65_535, 300],
  ]
  for (const [edns, limit, fitting] of cases) {
    const asked = query("DB.default.svc.cluster.local", "A", edns)
    const raw = answer(asked, records(300), limit)
    assert.ok(raw.length <= limit)
    const read = packet.decode(raw)
    assert.equal(read.answers!.length, fitting, `${edns} ${limit}`)
    assert.equal(read.flag_tc, fitting < 300)
    assert.equal(read.flag_aa, true)
    assert.equal(read.flag_rd, true)
    assert.equal(read.id, 7)
    // The client's own spelling comes back.
    assert.equal(read.questions![0]!.name, "DB.default.svc.cluster.local")
    assert.equal(read.answers![0]!.name, "DB.default.svc.cluster.local")
  }
})

test("Every type of record is read by others as it was written", () => {
  const name = "s.default.svc.cluster.local"
  const soa = {
    mname: "ns.dns.cluster.local",
    rname: "hostmaster.cluster.local",
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86400,
    minimum: 30,
  }
  const records: MessageRecord[] = [
    { name, type: "A", ttl: 30, data: "10.96.0.1" },
    { name, type: "AAAA", ttl: 30, data: "fd00::1" },
    { name, type: "CNAME", ttl: 30, data: "other.default.svc.cluster.local" },
    { name, type: "PTR", ttl: 30, data: name },
    { name, type: "SRV", ttl: 30, data: { priority: 0, weight: 50, port: 80, target: name } },
    { name, type: "SOA", ttl: 30, data: soa },
  ]
  const read = packet.decode(
    answer(query(name), [...records, { name, type: "TXT", ttl: 30, data: "1.1.0" }], 4096),
  )
  const plain = read.answers!.map((record) => ({ ...record }) as unknown as MessageRecord)
  assert.deepEqual(
    plain.slice(0, -1).map(({ name, type, ttl, data }) => ({ name, type, ttl, data })),
    records,
  )
  assert.equal(String(plain.at(-1)!.data), "1.1.0")
  // Addresses and aliases are what we read of others' answers.
  assert.deepEqual(readAnswer(answer(query(name), records.slice(0, 3), 4096)), {
    rcode: 0,
    records: [records[0], { ...records[1], data: "fd00:0000:0000:0000:0000:0000:0000:0001" }, records[2]],
  })
  for (const bad of ["a..b", "x".repeat(64), `${"x".repeat(60)}.`.repeat(5) + "x"])
    assert.throws(() => writeQuery(1, bad, "A"), RangeError)
  for (const data of ["1.2.3", "::1", "evil"])
    assert.throws(() => answer(query(name), [{ name, type: "A", ttl: 1, data }], 512), RangeError)
})

test("Packets that nobody should send are no questions, and never an exception", () => {
  const good = query("a.b.svc.cluster.local", "A", 4096)
  const header = (counts: number[], ...rest: number[]): Buffer => {
    const bytes = Buffer.alloc(12 + rest.length)
    counts.forEach((count, i) => bytes.writeUInt16BE(count, 4 + 2 * i))
    bytes.set(rest, 12)
    return bytes
  }
  const cases: [string, Buffer][] = [
    ["nothing", header([0, 0, 0, 0])],
    ["a question that is not there", header([1, 0, 0, 0])],
    ["two questions", Buffer.concat([header([2, 0, 0, 0]), good.subarray(12), good.subarray(12)])],
    ["65,535 questions", header([65_535, 0, 0, 0], 0, 0, 1, 0, 1)],
    ["a name that leads to itself", header([1, 0, 0, 0], 0xc0, 12, 0, 1, 0, 1)],
    ["a name that leads forward", header([1, 0, 0, 0], 0xc0, 200, 0, 1, 0, 1)],
    ["a name that leads into the header", header([1, 0, 0, 0], 1, 97, 0xc0, 0, 0, 1, 0, 1)],
    ["a label of an unknown kind", header([1, 0, 0, 0], 0x80, 1, 0, 0, 1, 0, 1)],
    ["a label that is cut", header([1, 0, 0, 0], 63, 97, 97)],
    [
      "a name that is too long",
      header([1, 0, 0, 0], ...Array.from({ length: 200 }, () => [1, 97]).flat(), 0, 0, 1, 0, 1),
    ],
    ["no type", header([1, 0, 0, 0], 1, 97, 0)],
  ]
  for (const [what, bytes] of cases) {
    assert.equal(readQuery(bytes), undefined, what)
    assert.doesNotThrow(() => readAnswer(bytes), what)
  }
  for (let length = 0; length < 12; length++) assert.equal(isQuery(Buffer.alloc(length)), false)
  // A label may hold a dot: it is not the name with a label more.
  assert.equal(readQuery(header([1, 0, 0, 0], 3, 97, 46, 98, 0, 0, 1, 0, 1))?.question.name, "a\\.b")
  const random = seededRandom(1)
  for (let round = 0; round < 20_000; round++) {
    const bytes = round % 2 === 0 ? Buffer.from(random.bytes(12 + (round % 80))) : Buffer.from(good)
    for (let i = 0; i < 1 + (round % 5); i++) {
      const [at, value] = random.bytes(2) as unknown as [number, number]
      bytes[at % bytes.length] = value
    }
    const cut = round % 7 === 0 ? bytes.subarray(0, Math.max(12, round % bytes.length)) : bytes
    const read = readQuery(cut)
    readAnswer(cut)
    if (!read) continue
    const record = { name: "x.y.svc.cluster.local", type: "A", ttl: 1, data: "1.2.3.4" }
    const parts = { rcode: 0, answers: [record], authorities: [], additionals: [] }
    const raw = writeAnswer(cut, read, parts, { limit: 512, ownUdpBytes: 1232 })
    assert.ok(raw.length <= 512)
    assert.equal(readAnswer(raw)?.records.length, 1)
  }
})

test("Names are written as they were read, whatever their labels hold", () => {
  for (const name of ["a.b", "", "a\\.b.c", "\\..x", "a\\\\b", "\\\\", "a\n.b", "\xff.\0"])
    assert.equal(readQuery(writeQuery(1, name, "A"))?.question.name, name, JSON.stringify(name))
  for (const name of [".", "a.", "a..b", "a\\..b..c", "x".repeat(64), "a.".repeat(127) + "a"])
    assert.throws(() => writeQuery(1, name, "A"), /Cannot write the name/, JSON.stringify(name))
})
