/**
 * A gzip member made of pieces that were compressed each on its own, so that one piece can stand in many members.
 * Mirrors: RFC 1951, RFC 1952; the sum of joined pieces is zlib's crc32_combine
 */
import { promisify } from "node:util"
import { constants, crc32, deflateRaw } from "node:zlib"

/** Blocks of a deflate stream that end at a whole byte and refer to nothing before them. */
export interface DeflatedPiece {
  readonly blocks: Buffer
  /** Of what was compressed: bytes, and CRC-32. */
  readonly length: number
  readonly crc: number
}

const deflate = promisify(deflateRaw)

/** Fast rather than small. Runs in a thread of its own. */
export async function deflatePiece(bytes: Buffer): Promise<DeflatedPiece> {
  const blocks = await deflate(bytes, { level: 1, finishFlush: constants.Z_SYNC_FLUSH })
  return { blocks, length: bytes.length, crc: crc32(bytes) }
}

/** What begins each member: deflate, no name, no time. */
const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
/** A last block without content. */
const lastBlock = Buffer.from([0x03, 0x00])
const maxStored = 0xffff

/** Puts one member together: {@link begin}, pieces and stored bytes in any order, {@link end}. */
export class GzipJoin {
  #crc = 0
  #length = 0

  begin(): Buffer {
    return header
  }

  piece({ blocks, length, crc }: DeflatedPiece): Buffer {
    this.#crc = joinedCrc(this.#crc, crc, length)
    this.#length += length
    return blocks
  }

  /** Short bytes, not compressed. */
  stored(bytes: Buffer): Buffer {
    this.#crc = crc32(bytes, this.#crc)
    this.#length += bytes.length
    const blocks: Buffer[] = []
    for (let from = 0; from < bytes.length; from += maxStored) {
      const part = bytes.subarray(from, from + maxStored)
      const head = Buffer.alloc(5)
      head.writeUInt16LE(part.length, 1)
      head.writeUInt16LE(~part.length & 0xffff, 3)
      blocks.push(head, part)
    }
    return Buffer.concat(blocks)
  }

  end(): Buffer {
    const sums = Buffer.alloc(8)
    sums.writeUInt32LE(this.#crc, 0)
    sums.writeUInt32LE(this.#length % 2 ** 32, 4)
    return Buffer.concat([lastBlock, sums])
  }
}

/** The product of two polynomials modulo that of CRC-32, whose bits are in reverse order: x^0 is the highest. */
function multiply(a: number, b: number): number {
  let product = 0
  for (let bit = 1 << 31; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= b
    b = b & 1 ? (b >>> 1) ^ 0xedb88320 : b >>> 1
  }
  return product
}

/** x^(2^n) for each n. */
const powers: readonly number[] = (() => {
  const out = [1 << 30]
  for (let n = 1; n < 32; n++) out.push(multiply(out[n - 1]!, out[n - 1]!))
  return out
})()

/** The CRC-32 of two texts behind one another, from those of each and the second's length in bytes. */
function joinedCrc(first: number, second: number, length: number): number {
  // Behind each byte, eight more powers of x.
  let shift = 1 << 31
  for (let bytes = length, n = 3; bytes > 0; bytes = Math.floor(bytes / 2), n++)
    if (bytes % 2 === 1) shift = multiply(powers[n % 32]!, shift)
  return (multiply(shift, first) ^ second) >>> 0
}
