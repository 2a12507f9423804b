/**
 * DNS messages: reads questions and the answers of other resolvers, writes answers with compressed names. Nothing
 * here throws on what comes from outside: what is no message is undefined. Mirrors: RFC 1035, 6891; miekg/dns
 */
import { isIPv4, isIPv6 } from "node:net"
import { parseIP } from "@knarr/apimachinery"

export const rcodes = {
  ok: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const

const typeNames = new Map<number, string>([
  [1, "A"],
  [2, "NS"],
  [5, "CNAME"],
  [6, "SOA"],
  [12, "PTR"],
  [16, "TXT"],
  [28, "AAAA"],
  [33, "SRV"],
])
const typeNumbers = new Map([...typeNames].map(([number, name]) => [name, number]))
const optType = 41
const classIN = 1
const headerBytes = 12
const maxNameBytes = 255
const maxLabelBytes = 63

export interface Question {
  /** Lower case, without the last dot; dots and backslashes inside a label have a backslash before them. */
  readonly name: string
  /** `A`, `SRV`, …; `TYPE65` for those that no zone of ours has. */
  readonly type: string
  readonly isInternet: boolean
}

export interface Query {
  readonly opcode: number
  readonly question: Question
  /** The largest answer over UDP that the client takes; undefined: it knows no EDNS. */
  readonly udpBytes: number | undefined
  /** Where the question ends. */
  readonly end: number
}

/** A record to write. The form of `data` follows from the type: text, or the object of a SOA or SRV record. */
export interface MessageRecord {
  readonly name: string
  readonly type: string
  readonly ttl: number
  readonly data: unknown
}

/** Whether it is a question at all, and so gets an answer of some kind. */
export function isQuery(bytes: Buffer): boolean {
  return bytes.length >= headerBytes && (bytes[2]! & 0x80) === 0
}

/** The one question of a message for which {@link isQuery} holds; undefined when it is badly formed. */
export function readQuery(bytes: Buffer): Query | undefined {
  if (bytes.readUInt16BE(4) !== 1) return undefined
  const name = readName(bytes, headerBytes)
  // A name that leads elsewhere cannot be at the very beginning.
  if (!name || name.jumped || name.end + 4 > bytes.length) return undefined
  const type = bytes.readUInt16BE(name.end)
  const end = name.end + 4
  return {
    opcode: (bytes[2]! >> 3) & 0xf,
    question: {
      name: name.text.toLowerCase(),
      type: typeNames.get(type) ?? `TYPE${type}`,
      isInternet: bytes.readUInt16BE(name.end + 2) === classIN,
    },
    udpBytes: ednsSize(bytes, end),
    end,
  }
}

/** The size in an OPT record, if there is one among what follows the question. */
function ednsSize(bytes: Buffer, start: number): number | undefined {
  const others = bytes.readUInt16BE(6) + bytes.readUInt16BE(8)
  const count = others + bytes.readUInt16BE(10)
  for (let i = 0, at = start; i < count; i++) {
    const record = readRecord(bytes, at)
    if (!record) return undefined
    if (i >= others && record.type === optType) return record.class
    at = record.end
  }
  return undefined
}

interface RawRecord {
  readonly name: string
  readonly type: number
  readonly class: number
  readonly ttl: number
  readonly start: number
  readonly end: number
}

function readRecord(bytes: Buffer, at: number): RawRecord | undefined {
  const name = readName(bytes, at)
  if (!name || name.end + 10 > bytes.length) return undefined
  const start = name.end + 10
  const end = start + bytes.readUInt16BE(name.end + 8)
  if (end > bytes.length) return undefined
  return {
    name: name.text,
    type: bytes.readUInt16BE(name.end),
    class: bytes.readUInt16BE(name.end + 2),
    ttl: bytes.readUInt32BE(name.end + 4),
    start,
    end,
  }
}

/** A name's labels with dots between. Every jump must lead back, so reading ends. */
function readName(bytes: Buffer, start: number): { text: string; end: number; jumped: boolean } | undefined {
  const labels: string[] = []
  let length = 1
  let end = -1
  for (let at = start, bound = start; ;) {
    const size = bytes[at]
    if (size === undefined) return undefined
    if (size === 0) return { text: labels.join("."), end: end < 0 ? at + 1 : end, jumped: end >= 0 }
    if ((size & 0xc0) === 0xc0) {
      const low = bytes[at + 1]
      if (low === undefined) return undefined
      const target = ((size & 0x3f) << 8) | low
      if (target >= bound) return undefined
      if (end < 0) end = at + 2
      at = target
      bound = target
      continue
    }
    length += size + 1
    if (size > maxLabelBytes || length > maxNameBytes || at + 1 + size > bytes.length) return undefined
    labels.push(bytes.toString("latin1", at + 1, at + 1 + size).replace(/[.\\]/g, "\\$&"))
    at += size + 1
  }
}

/** The addresses and aliases in another resolver's answer; undefined when it is none. */
export function readAnswer(bytes: Buffer): { rcode: number; records: MessageRecord[] } | undefined {
  if (bytes.length < headerBytes || (bytes[2]! & 0x80) === 0) return undefined
  let at = headerBytes
  for (let i = bytes.readUInt16BE(4); i > 0; i--) {
    const name = readName(bytes, at)
    if (!name) return undefined
    at = name.end + 4
  }
  const records: MessageRecord[] = []
  for (let i = bytes.readUInt16BE(6); i > 0; i--) {
    const record = readRecord(bytes, at)
    if (!record) return undefined
    const { name, ttl, start, end } = record
    const type = typeNames.get(record.type)
    at = end
    if (type === "A" && end - start === 4)
      records.push({ name, type, ttl, data: [...bytes.subarray(start, end)].join(".") })
    else if (type === "AAAA" && end - start === 16)
      records.push({
        name,
        type,
        ttl,
        data: (bytes.toString("hex", start, end).match(/.{4}/g) ?? []).join(":"),
      })
    else if (type === "CNAME") {
      const target = readName(bytes, start)
      if (!target) return undefined
      records.push({ name, type, ttl, data: target.text })
    }
  }
  return { rcode: bytes[3]! & 0xf, records }
}

/** A question of our own. Throws when the name cannot be written. */
export function writeQuery(id: number, name: string, type: string): Buffer {
  const writer = new Writer(512)
  writer.header(id, 1 << 8, [1, 0, 0, 0])
  writer.name(name, false)
  writer.u16(typeNumbers.get(type) ?? 0)
  writer.u16(classIN)
  return writer.done()
}

export interface Answer {
  readonly rcode: number
  readonly answers: readonly MessageRecord[]
  readonly authorities: readonly MessageRecord[]
  readonly additionals: readonly MessageRecord[]
}

/**
 * The answer to a query, in at most `limit` bytes. What is in the way at the end is left out: of the answers with
 * the mark that tells the client to ask again over TCP. Throws when a name cannot be written.
 */
export function writeAnswer(
  bytes: Buffer,
  query: Query,
  answer: Answer,
  { limit, ownUdpBytes }: { readonly limit: number; readonly ownUdpBytes: number },
): Buffer {
  const writer = new Writer(limit)
  const optBytes = query.udpBytes === undefined ? 0 : 11
  // Authoritative, and we do look elsewhere; whether that was wished for is repeated.
  const flags = 0x8480 | (bytes.readUInt16BE(2) & 0x0100) | answer.rcode
  writer.question(bytes.subarray(headerBytes, query.end))
  const put = (records: readonly MessageRecord[]): number => {
    let count = 0
    for (const record of records) {
      const before = writer.mark()
      writer.record(record)
      if (writer.length + optBytes > limit) {
        writer.back(before)
        break
      }
      count++
    }
    return count
  }
  const answers = put(answer.answers)
  const truncated = answers < answer.answers.length
  const authorities = truncated ? 0 : put(answer.authorities)
  const additionals = truncated ? 0 : put(answer.additionals)
  if (optBytes > 0) writer.opt(ownUdpBytes)
  const counts = [1, answers, authorities, additionals + (optBytes > 0 ? 1 : 0)]
  writer.header(bytes.readUInt16BE(0), flags | (truncated ? 0x0200 : 0), counts)
  return writer.done()
}

/** The question's header with an error in it. */
export function writeFailure(bytes: Buffer, rcode: number): Buffer {
  const header = Buffer.from(bytes.subarray(0, headerBytes))
  header[2] = (header[2]! & 0x79) | 0x80
  header[3] = 0x80 | rcode
  header.fill(0, 4)
  return header
}

/** The labels of a {@link Question}'s name, with their backslashes. */
function labelsOf(text: string): string[] {
  if (!text.includes("\\")) return text === "" ? [] : text.split(".")
  const labels: string[] = []
  let from = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\") at++
    else if (text[at] === ".") {
      labels.push(text.slice(from, at))
      from = at + 1
    }
  }
  return [...labels, text.slice(from)]
}

class Writer {
  #bytes: Buffer
  #at = headerBytes
  /** Where a name (lower case) was written. */
  readonly #names = new Map<string, number>()

  constructor(limit: number) {
    this.#bytes = Buffer.alloc(Math.min(limit, 1024) + 512)
  }

  get length(): number {
    return this.#at
  }

  mark(): number {
    return this.#at
  }

  /** Takes back what was written since. */
  back(mark: number): void {
    for (const [name, at] of this.#names) if (at >= mark) this.#names.delete(name)
    this.#at = mark
  }

  header(id: number, flags: number, counts: readonly number[]): void {
    this.#bytes.writeUInt16BE(id, 0)
    this.#bytes.writeUInt16BE(flags, 2)
    for (const [i, count] of counts.entries()) this.#bytes.writeUInt16BE(count, 4 + 2 * i)
  }

  /** The question as it was asked; names in the answer lead back to its name. */
  question(raw: Buffer): void {
    this.#room(raw.length)
    raw.copy(this.#bytes, this.#at)
    const labels: { text: string; at: number }[] = []
    for (let at = 0; raw[at]; at += raw[at]! + 1)
      labels.push({
        text: raw.toString("latin1", at + 1, at + 1 + raw[at]!).replace(/[.\\]/g, "\\$&"),
        at: this.#at + at,
      })
    for (const [i, { at }] of labels.entries())
      this.#names.set(
        labels
          .slice(i)
          .map(({ text }) => text)
          .join(".")
          .toLowerCase(),
        at,
      )
    this.#at += raw.length
  }

  record({ name, type, ttl, data }: MessageRecord): void {
    const number = typeNumbers.get(type)
    if (number === undefined) throw new RangeError(`Cannot write a record of type ${type}`)
    this.name(name, true)
    this.u16(number)
    this.u16(classIN)
    this.#u32(ttl)
    const lengthAt = this.#at
    this.u16(0)
    this.#data(type, data)
    this.#bytes.writeUInt16BE(this.#at - lengthAt - 2, lengthAt)
  }

  #data(type: string, data: unknown): void {
    switch (type) {
      case "A":
      case "AAAA": {
        const text = String(data)
        const ip = (type === "A" ? isIPv4 : isIPv6)(text) ? parseIP(text) : undefined
        if (!ip) throw new RangeError(`Cannot write the address ${JSON.stringify(text)}`)
        for (const byte of ip.bytes) this.#u8(byte)
        return
      }
      case "CNAME":
      case "PTR":
      case "NS":
        return this.name(String(data), true)
      case "TXT": {
        const text = Buffer.from(String(data))
        if (text.length > 255) throw new RangeError(`Cannot write a text of ${text.length} bytes`)
        this.#u8(text.length)
        for (const byte of text) this.#u8(byte)
        return
      }
      case "SRV": {
        const { priority, weight, port, target } = data as {
          priority: number
          weight: number
          port: number
          target: string
        }
        for (const value of [priority, weight, port]) this.u16(value)
        // RFC 2782 wants the target whole.
        return this.name(target, false)
      }
      case "SOA": {
        const { mname, rname, ...numbers } = data as Record<string, string | number>
        this.name(String(mname), true)
        this.name(String(rname), true)
        for (const key of ["serial", "refresh", "retry", "expire", "minimum"]) this.#u32(Number(numbers[key]))
        return
      }
      default:
        throw new RangeError(`Cannot write a record of type ${type}`)
    }
  }

  name(text: string, compress: boolean): void {
    const labels = labelsOf(text)
    const start = this.#at
    for (const [i, label] of labels.entries()) {
      const suffix = labels.slice(i).join(".").toLowerCase()
      const known = this.#names.get(suffix)
      if (compress && known !== undefined) {
        this.u16(0xc000 | known)
        return
      }
      if (known === undefined && this.#at < 0x4000) this.#names.set(suffix, this.#at)
      const bytes = Buffer.from(label.replace(/\\(.)/gs, "$1"), "latin1")
      if (bytes.length === 0 || bytes.length > maxLabelBytes)
        throw new RangeError(`Cannot write the name ${JSON.stringify(text.slice(0, 300))}`)
      this.#u8(bytes.length)
      this.#room(bytes.length)
      bytes.copy(this.#bytes, this.#at)
      this.#at += bytes.length
    }
    this.#u8(0)
    if (this.#at - start > maxNameBytes)
      throw new RangeError(`Cannot write the name ${JSON.stringify(text.slice(0, 300))}`)
  }

  opt(udpBytes: number): void {
    this.#u8(0)
    this.u16(optType)
    this.u16(udpBytes)
    this.#u32(0)
    this.u16(0)
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  #room(count: number): void {
    if (this.#at + count <= this.#bytes.length) return
    const larger = Buffer.alloc(Math.max(this.#bytes.length * 2, this.#at + count))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }

  #u8(value: number): void {
    this.#room(1)
    this.#bytes[this.#at++] = value
  }

  u16(value: number): void {
    this.#room(2)
    this.#at = this.#bytes.writeUInt16BE(value, this.#at)
  }

  #u32(value: number): void {
    this.#room(4)
    this.#at = this.#bytes.writeUInt32BE(value, this.#at)
  }
}
