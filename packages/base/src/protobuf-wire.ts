/**
 * The wire format of protobuf: varints, fixed-width numbers and length-delimited bytes. Everything that speaks
 * protobuf (API objects, the OpenAPI document, gRPC) writes and reads it here.
 *
 * 64-bit integers are numbers: exact to 2^53.
 */

/** How a field's value is laid out: a varint, 8 bytes, bytes after their length, or 4 bytes. */
export type WireType = 0 | 1 | 2 | 5

/** What is read is no protobuf message; the message is what Go's decoder would say. */
export class WireError extends RangeError {
  constructor(message: string) {
    super(message)
    this.name = "WireError"
  }
}

/** Calls into the runtime cost more than copying this much byte by byte; its length is one byte. */
const shortText = 64

/** Builds one message, or after {@link WireWriter.reset} the next one. */
export class WireWriter {
  #buffer = Buffer.allocUnsafe(512)
  #at = 0

  /** What was written: the writer's own memory, until {@link reset}. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#at)
  }

  /** Begins anew, in the same memory unless that is more than `keptBytes`. */
  reset(keptBytes: number = 64 * 1024): void {
    this.#at = 0
    if (this.#buffer.length > keptBytes) this.#buffer = Buffer.allocUnsafe(512)
  }

  tag(number: number, wire: WireType): void {
    this.#uint32(((number << 3) | wire) >>> 0)
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
    if (value.length < shortText && this.#ascii(value)) return
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

  /** Bytes as they are: fields that were encoded before. */
  encoded(fields: Uint8Array): void {
    const { length } = fields
    this.#reserve(length)
    if (length > shortText) this.#buffer.set(fields, this.#at)
    else for (let i = 0; i < length; i++) this.#buffer[this.#at + i] = fields[i]!
    this.#at += length
  }

  /** What `fn` writes, with its length before it. */
  delimited(fn: () => void): void {
    const start = this.open()
    fn()
    this.close(start)
  }

  /** Begins what has its length before it; what is returned closes it. */
  open(): number {
    this.#reserve(1)
    return ++this.#at
  }

  close(start: number): void {
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

  /** Writes a short text with its length, unless it needs more than a byte per sign. */
  #ascii(value: string): boolean {
    const { length } = value
    this.#reserve(length + 1)
    const start = this.#at + 1
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 127) return false
      this.#buffer[start + i] = code
    }
    this.#buffer[this.#at] = length
    this.#at = start + length
    return true
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

/**
 * Reads the fields of one message, in order: after `next()` the field's value is read or skipped, once. Every method throws a
 * {@link WireError} when the bytes are no message, and on a value of another wire type than it reads.
 */
export class WireReader {
  readonly #buffer: Buffer
  #at: number
  readonly #end: number
  /** Of the field that `next` came to. */
  number = 0
  wire = 0

  /** Reads `bytes` from `start` to `end`; what it returns shares their memory. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = start
    this.#end = end
  }

  get atEnd(): boolean {
    return this.#at >= this.#end
  }

  /** Moves to the next field's value; false at the end. */
  next(): boolean {
    if (this.atEnd) return false
    const tag = this.#varint()
    this.number = Math.floor(tag / 8)
    this.wire = tag % 8
    return true
  }

  uint32(): number {
    return this.uint64() >>> 0
  }

  uint64(): number {
    this.#expect(0)
    return this.#varint()
  }

  /** A number in two's complement of 64 bits. */
  int64(): number {
    this.#expect(0)
    const start = this.#at
    const value = this.#varint()
    if (this.#at - start < 10) return value
    // Ten bytes: the sign bit is set. The value is exact only in integers.
    let bits = 0n
    for (let i = start, shift = 0n; i < this.#at; i++, shift += 7n)
      bits |= BigInt(this.#buffer[i]! & 127) << shift
    return Number(BigInt.asIntN(64, bits))
  }

  double(): number {
    this.#expect(1)
    this.#need(8)
    this.#at += 8
    return this.#buffer.readDoubleLE(this.#at - 8)
  }

  float(): number {
    this.#expect(5)
    this.#need(4)
    this.#at += 4
    return this.#buffer.readFloatLE(this.#at - 4)
  }

  string(): string {
    const end = this.#delimitedEnd()
    const text = this.#buffer.toString("utf8", this.#at, end)
    this.#at = end
    return text
  }

  bytes(): Buffer {
    const end = this.#delimitedEnd()
    const bytes = this.#buffer.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  /** A message inside this one. */
  message(): WireReader {
    const end = this.#delimitedEnd()
    const inner = new WireReader(this.#buffer, this.#at, end)
    this.#at = end
    return inner
  }

  /** A packed list of values of one wire type: they are read one after the other until `atEnd`. */
  packed(wire: WireType): WireReader {
    const inner = this.message()
    inner.number = this.number
    inner.wire = wire
    return inner
  }

  skip(): void {
    if (this.wire === 0) this.#varint()
    else if (this.wire === 2) this.#at = this.#delimitedEnd()
    else if (this.wire === 1 || this.wire === 5) {
      const width = this.wire === 1 ? 8 : 4
      this.#need(width)
      this.#at += width
    } else throw new WireError(`proto: illegal wireType ${this.wire}`)
  }

  #varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 10; i++) {
      this.#need(1)
      const byte = this.#buffer[this.#at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
      scale *= 128
    }
    throw new WireError("proto: integer overflow")
  }

  #delimitedEnd(): number {
    this.#expect(2)
    const length = this.#varint()
    this.#need(length)
    return this.#at + length
  }

  #expect(wire: WireType): void {
    if (this.wire !== wire)
      throw new WireError(`proto: wrong wireType = ${this.wire} for field ${this.number}`)
  }

  #need(length: number): void {
    if (this.#at + length > this.#end) throw new WireError("unexpected EOF")
  }
}
