/** Header blocks of a peer, read in the order in which they come. Mirrors: RFC 7541 */
import { decodeHuffman } from "./huffman.ts"
import { staticTable } from "./static-table.ts"

/** A header block that cannot be read: nothing that follows on the connection can. */
export class HpackError extends Error {
  override readonly name = "HpackError"
}

interface Field {
  readonly name: string
  readonly value: string
}

const nothing: Field = { name: "", value: "" }
/** What a field counts for beside its characters. */
const fieldOverhead = 32
/** So many places of entries that were given up are kept before the table is made anew. */
const compactAfter = 256
const maxInteger = 2 ** 28

export class HpackDecoder {
  readonly #allowedBytes: number
  /** Oldest first; those before {@link #first} are given up. */
  #entries: Field[] = []
  #first = 0
  #bytes = 0
  #maxBytes: number
  #block: Buffer = Buffer.alloc(0)
  #at = 0

  /** `tableBytes`: how much of earlier blocks the peer may refer to; default 4096, as HTTP/2 begins. */
  constructor(tableBytes = 4096) {
    this.#allowedBytes = tableBytes
    this.#maxBytes = tableBytes
  }

  /** Calls `field` for each field of a whole block; one character is one octet. Throws an {@link HpackError}. */
  decode(block: Buffer, field: (name: string, value: string) => void): void {
    this.#block = block
    this.#at = 0
    let updates = true
    while (this.#at < block.length) {
      const first = block[this.#at]!
      if (first >= 0x80) {
        const { name, value } = this.#entry(this.#integer(7))
        field(name, value)
      } else if (first >= 0x40) {
        const entry = this.#literal(6)
        this.#add(entry)
        field(entry.name, entry.value)
      } else if (first >= 0x20) {
        if (!updates) throw new HpackError("A table size update within a block")
        this.#resize(this.#integer(5))
        continue
      } else {
        const { name, value } = this.#literal(4)
        field(name, value)
      }
      updates = false
    }
  }

  #literal(prefixBits: number): Field {
    const index = this.#integer(prefixBits)
    const name = index === 0 ? this.#string() : this.#entry(index).name
    return { name, value: this.#string() }
  }

  #entry(index: number): Field {
    if (index === 0) throw new HpackError("A reference to no field")
    const known = staticTable[index - 1]
    if (known) return { name: known[0], value: known[1] }
    const entry = this.#entries[this.#entries.length - (index - staticTable.length)]
    if (!entry || this.#entries.length - (index - staticTable.length) < this.#first)
      throw new HpackError("A reference beyond the table")
    return entry
  }

  #integer(prefixBits: number): number {
    const mask = 2 ** prefixBits - 1
    let value = this.#byte() & mask
    if (value < mask) return value
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#byte()
      value += (byte & 127) * factor
      if (value > maxInteger) throw new HpackError("A number that is too large")
      if (byte < 128) return value
      if (factor >= maxInteger) throw new HpackError("A number that is too long")
    }
  }

  #byte(): number {
    const byte = this.#block[this.#at]
    if (byte === undefined) throw new HpackError("A block that ends early")
    this.#at++
    return byte
  }

  #string(): string {
    const huffman = (this.#block[this.#at] ?? 0) >= 0x80
    const length = this.#integer(7)
    const start = this.#at
    const end = start + length
    if (end > this.#block.length) throw new HpackError("A block that ends early")
    this.#at = end
    if (!huffman) return this.#block.toString("latin1", start, end)
    const text = decodeHuffman(this.#block, start, end)
    if (text === undefined) throw new HpackError("A string whose code is not valid")
    return text
  }

  #add(entry: Field): void {
    this.#bytes += sizeOf(entry)
    this.#entries.push(entry)
    this.#evict()
  }

  #resize(bytes: number): void {
    if (bytes > this.#allowedBytes) throw new HpackError("A table size beyond what was allowed")
    this.#maxBytes = bytes
    this.#evict()
  }

  #evict(): void {
    while (this.#bytes > this.#maxBytes) {
      this.#bytes -= sizeOf(this.#entries[this.#first]!)
      this.#entries[this.#first++] = nothing
    }
    if (this.#first < compactAfter) return
    this.#entries = this.#entries.slice(this.#first)
    this.#first = 0
  }
}

function sizeOf({ name, value }: Field): number {
  return name.length + value.length + fieldOverhead
}
