/**
 * The value of a string or bytes literal. Newlines are all `\n` in it.
 * Mirrors: cel-go parser/unescape.go
 */

const simple: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "`": "`",
  "?": "?",
}
const broken = "unable to unescape string"
const badPoint = "invalid unicode code point"

/** The text between the quotes, with what kept its escapes: the lexer has seen to it that they are well formed. */
function inner(literal: string): { text: string; raw: boolean } {
  let text = literal.replace(/\r\n?/g, "\n")
  const raw = /^[rR]/.test(text)
  if (raw) text = text.slice(1)
  const long = text.length >= 6 && (text.startsWith('"""') || text.startsWith("'''"))
  return { text: long ? text.slice(3, -3) : text.slice(1, -1), raw }
}

const escapes = /\\(?:([xX])([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([\s\S]))/g

/** The string, or why it is none. */
export function stringValue(literal: string): { value: string } | { problem: string } {
  const { text, raw } = inner(literal)
  if (raw || !text.includes("\\")) return { value: text }
  let problem: string | undefined
  const value = text.replace(escapes, (_, x, hex, u, long, octal, char) => {
    if (char !== undefined) return simple[char as string] ?? ((problem ??= broken), "")
    const point =
      octal === undefined ? Number.parseInt(hex ?? u ?? long, 16) : Number.parseInt(octal as string, 8)
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return ((problem ??= badPoint), "")
    return String.fromCodePoint(point)
  })
  return problem === undefined ? { value } : { problem }
}

/** The bytes: hex and octal escapes are bytes and not characters. */
export function bytesValue(literal: string): { value: Uint8Array } | { problem: string } {
  const { text, raw } = inner(literal)
  if (raw || !text.includes("\\")) return { value: Buffer.from(text) }
  const parts: Buffer[] = []
  let last = 0
  for (const match of text.matchAll(escapes)) {
    const [whole, , hex, u, long, octal, char] = match
    parts.push(Buffer.from(text.slice(last, match.index)))
    last = match.index + whole.length
    if (u !== undefined || long !== undefined) return { problem: broken }
    if (char !== undefined && simple[char] === undefined) return { problem: broken }
    const byte =
      char !== undefined
        ? simple[char]!.charCodeAt(0)
        : hex === undefined
          ? Number.parseInt(octal!, 8)
          : Number.parseInt(hex, 16)
    parts.push(Buffer.from([byte]))
  }
  parts.push(Buffer.from(text.slice(last)))
  return { value: Buffer.concat(parts) }
}
