/** Writing DER, the encoding of certificates. `der.ts` reads it. */

/** An element: its tag byte, the length of the parts together, and the parts. */
export function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), ...parts])
  const digits = Buffer.alloc(4)
  digits.writeUInt32BE(length)
  const from = digits.findIndex((digit) => digit !== 0)
  const head = Buffer.from([tag, 0x80 | (4 - from), ...digits.subarray(from)])
  return Buffer.concat([head, ...parts])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts)
export const octetString = (bytes: Uint8Array): Buffer => tlv(0x04, bytes)
export const bitString = (bytes: Uint8Array, unused: number): Buffer =>
  tlv(0x03, Buffer.from([unused]), bytes)
export const boolean = (value: boolean): Buffer => tlv(0x01, Buffer.from([value ? 0xff : 0]))
export const contextPrimitive = (tag: number, bytes: Uint8Array): Buffer => tlv(0x80 | tag, bytes)

/** A number that is not negative, in as few bytes as DER demands. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const digits = bytes.subarray(start)
  return digits[0]! & 0x80 ? tlv(0x02, Buffer.from([0]), digits) : tlv(0x02, digits)
}

/** An object identifier in its dotted form. */
export function objectId(text: string): Buffer {
  const [first, second, ...rest] = text.split(".").map(Number) as [number, number, ...number[]]
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const groups = [arc & 0x7f]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return tlv(0x06, Buffer.from(bytes))
}
