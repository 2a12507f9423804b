/**
 * Reading DER, the encoding of certificates and of requests for them: lengths are checked before anything is taken,
 * so that bytes from outside give a value or an error and nothing else.
 */

/** One element: its tag byte, what it holds, and its bytes with tag and length. */
export interface DerElement {
  readonly tag: number
  readonly content: Buffer
  readonly raw: Buffer
}

/** The bytes are no DER. */
export class DerError extends Error {
  constructor(message: string) {
    super(`Cannot read DER: ${message}`)
    this.name = "DerError"
  }
}

/** The element at the start of `bytes`, and what follows it. Throws a {@link DerError}. */
export function readDer(bytes: Buffer): { element: DerElement; rest: Buffer } {
  const tag = bytes[0]
  const first = bytes[1]
  if (tag === undefined || first === undefined) throw new DerError("the data ends within an element")
  if ((tag & 0x1f) === 0x1f) throw new DerError("tags of several bytes are not supported")
  let length = first
  let start = 2
  if (first & 0x80) {
    const count = first & 0x7f
    if (count === 0 || count > 4) throw new DerError("the length is indefinite or too large")
    if (bytes.length < 2 + count) throw new DerError("the data ends within a length")
    length = bytes.readUIntBE(2, count)
    if (length < 0x80 || bytes[2] === 0) throw new DerError("the length is not as short as it can be")
    start += count
  }
  const end = start + length
  if (end > bytes.length) throw new DerError("the data ends within an element")
  return {
    element: { tag, content: bytes.subarray(start, end), raw: bytes.subarray(0, end) },
    rest: bytes.subarray(end),
  }
}

/** All elements that `bytes` consist of. Throws a {@link DerError}. */
export function readAllDer(bytes: Buffer): DerElement[] {
  const out: DerElement[] = []
  for (let rest = bytes; rest.length > 0;) {
    const next = readDer(rest)
    out.push(next.element)
    rest = next.rest
  }
  return out
}

/** The dotted form of an object identifier's content. */
export function readObjectId(content: Buffer): string {
  const arcs: number[] = []
  let value = 0
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f)
    if (value > Number.MAX_SAFE_INTEGER) throw new DerError("an object identifier is too large")
    if (byte & 0x80) continue
    arcs.push(value)
    value = 0
  }
  const first = arcs.shift()
  if (first === undefined || (content.at(-1)! & 0x80) !== 0)
    throw new DerError("an object identifier is cut off")
  const root = first < 40 ? 0 : first < 80 ? 1 : 2
  return [root, first - root * 40, ...arcs].join(".")
}

const strings: Readonly<Record<number, (content: Buffer) => string>> = {
  0x0c: (content) => content.toString("utf8"),
  // Numeric, printable, T61 and IA5 strings.
  0x12: (content) => content.toString("latin1"),
  0x13: (content) => content.toString("latin1"),
  0x14: (content) => content.toString("latin1"),
  0x16: (content) => content.toString("latin1"),
  0x1a: (content) => content.toString("latin1"),
  // Universal strings: four bytes a character; BMP strings: two.
  0x1c(content) {
    if (content.length % 4 !== 0) throw new DerError("a universal string is cut off")
    let text = ""
    for (let at = 0; at < content.length; at += 4) {
      const point = content.readUInt32BE(at)
      if (point > 0x10ffff) throw new DerError("a universal string holds what is no character")
      text += String.fromCodePoint(point)
    }
    return text
  },
  0x1e(content) {
    if (content.length % 2 !== 0) throw new DerError("a BMP string is cut off")
    return Buffer.from(content).swap16().toString("utf16le").replace(/\0$/, "")
  },
}

/** The text of a string of any type; undefined when the element is no string. */
export function readString({ tag, content }: DerElement): string | undefined {
  return strings[tag]?.(content)
}
