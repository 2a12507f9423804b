/** The wire format of protobuf: varints, fixed-width numbers and length-delimited bytes. */

/** Builds one message. */
export class Writer {
  #buffer = Buffer.allocUnsafe(512)
  #at = 0

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#at)
  }

  tag(number: number, wireType: number): void {
    this.#uint32(((number << 3) | wireType) >>> 0)
  }

  /** A signed or unsigned 64-bit varint; values outside of the range are clamped to it. */
  int64(value: number): void {
    if (value >= 0 && value <= 0xffffffff) return this.#uint32(value)
    let bits = BigInt.asUintN(64, BigInt(Math.trunc(value)))
    if (value >= 2 ** 64) bits = 2n ** 64n - 1n
    // No int64 field of these interfaces may exceed its range; the largest one reads back as a double, 2^63.
    else if (value === 2 ** 63) bits = 2n ** 63n - 1n
    this.#reserve(10)
    while (bits > 127n) {
      this.#buffer[this.#at++] = Number(bits & 127n) | 128
      bits >>= 7n
    }
    this.#buffer[this.#at++] = Number(bits)
  }

  double(value: number): void {
    this.#reserve(8)
    this.#at = this.#buffer.writeDoubleLE(value, this.#at)
  }

  float(value: number): void {
    this.#reserve(4)
    this.#at = this.#buffer.writeFloatLE(value, this.#at)
  }

  string(value: string): void {
    const length = Buffer.byteLength(value)
    this.#uint32(length)
    this.#reserve(length)
    this.#at += this.#buffer.write(value, this.#at)
  }

  bytes(value: Uint8Array): void {
    this.#uint32(value.length)
    this.#reserve(value.length)
    this.#buffer.set(value, this.#at)
    this.#at += value.length
  }

  /** What `fn` writes, with its length before it. */
  delimited(fn: () => void): void {
    this.#reserve(1)
    const start = ++this.#at
    fn()
    const length = this.#at - start
    if (length < 128) {
      this.#buffer[start - 1] = length
      return
    }
    const width = length < 2 ** 14 ? 2 : length < 2 ** 21 ? 3 : length < 2 ** 28 ? 4 : 5
    this.#reserve(width)
    this.#buffer.copyWithin(start - 1 + width, start, this.#at)
    const end = this.#at + width - 1
    this.#at = start - 1
    this.#uint32(length)
    this.#at = end
  }

  #uint32(value: number): void {
    this.#reserve(5)
    let left = value
    while (left > 127) {
      this.#buffer[this.#at++] = (left & 127) | 128
      left >>>= 7
    }
    this.#buffer[this.#at++] = left
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + length))
    this.#buffer.copy(grown, 0, 0, this.#at)
    this.#buffer = grown
  }
}

/** Reads one message; every method throws a RangeError when the bytes are cut short. */
export class Reader {
  readonly #buffer: Buffer
  at = 0

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  uint32(): number {
    return this.uint64() >>> 0
  }

  uint64(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 10; i++) {
      const byte = this.#byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
      scale *= 128
    }
    throw new RangeError("Cannot read a varint: more than 10 bytes")
  }

  int64(): number {
    const start = this.at
    const value = this.uint64()
    if (this.at - start < 10) return value
    // Ten bytes: the sign bit is set. The value is exact only in integers.
    let bits = 0n
    for (let i = start, shift = 0n; i < this.at; i++, shift += 7n)
      bits |= BigInt(this.#buffer[i]! & 127) << shift
    return Number(BigInt.asIntN(64, bits))
  }

  double(): number {
    this.#need(8)
    this.at += 8
    return this.#buffer.readDoubleLE(this.at - 8)
  }

  float(): number {
    this.#need(4)
    this.at += 4
    return this.#buffer.readFloatLE(this.at - 4)
  }

  string(): string {
    const length = this.uint32()
    this.#need(length)
    this.at += length
    return this.#buffer.toString("utf8", this.at - length, this.at)
  }

  bytes(): Uint8Array {
    const length = this.uint32()
    this.#need(length)
    this.at += length
    return this.#buffer.subarray(this.at - length, this.at)
  }

  skip(wireType: number): void {
    if (wireType === 0) this.uint64()
    else if (wireType === 1) this.at += 8
    else if (wireType === 2) {
      const length = this.uint32()
      this.at += length
    } else if (wireType === 5) this.at += 4
    else throw new RangeError(`Cannot read a field: wire type ${wireType}`)
    this.#need(0)
  }

  #byte(): number {
    this.#need(1)
    return this.#buffer[this.at++]!
  }

  #need(length: number): void {
    if (this.at + length > this.#buffer.length) throw new RangeError("Cannot read a message: it is cut short")
  }
}
