/** Text as Go's fmt, strconv and encoding/json print it, for messages that clients see. */

const shortEscapes: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
}

/** `text` as Go's `%q` (strconv.Quote) prints it. */
export function goQuote(text: string): string {
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(text)) return `"${text}"`
  // In here, since to read the classes of Unicode costs a start more than everything else in this file.
  return `"${text.replace(/["\\\u007f-\u00a0\u00ad]|[^\x20-\x7e\p{L}\p{M}\p{N}\p{P}\p{S}]/gu, escapeRune)}"`
}

function escapeRune(rune: string): string {
  const short = shortEscapes[rune]
  if (short) return short
  const code = rune.codePointAt(0)!
  if (code < 0x80) return "\\x" + code.toString(16).padStart(2, "0")
  if (code >= 0xd800 && code <= 0xdfff) return "\ufffd"
  if (code < 0x10000) return "\\u" + code.toString(16).padStart(4, "0")
  return "\\U" + code.toString(16).padStart(8, "0")
}

const htmlEscapes: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
}

/** `value` as Go's json.Marshal prints it: `undefined` is `null`, and `<`, `>`, `&` are escaped. */
export function goJson(value: unknown): string {
  const text = JSON.stringify(value) ?? "null"
  return text.replace(/[<>&\u2028\u2029]/g, (char) => htmlEscapes[char]!)
}

/** A list of strings as Go's `%v` prints it: `[a b]`. */
export function goList(items: readonly string[]): string {
  return `[${items.join(" ")}]`
}

const utf8 = new TextEncoder()

/** The length of `text` in UTF-8 bytes, which is what Go's `len` counts. */
export function byteLength(text: string): number {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return utf8.encode(text).length
  }
  return text.length
}

/** Orders strings as Go does, by UTF-8 bytes (which is by code point). */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    let x = a.charCodeAt(i)
    let y = b.charCodeAt(i)
    if (x === y) continue
    // A surrogate stands for a code point above every other UTF-16 unit.
    if (x >= 0xd800 && y >= 0xd800) {
      x = x >= 0xe000 ? x - 0x800 : x + 0x2000
      y = y >= 0xe000 ? y - 0x800 : y + 0x2000
    }
    return x - y
  }
  return a.length - b.length
}

/** Several texts as Go's aggregate of errors prints them: each once, `[a, b]` when there is more than one; "" for none. */
export function aggregate(texts: readonly string[]): string {
  const distinct = [...new Set(texts)]
  return distinct.length === 1 ? distinct[0]! : distinct.length === 0 ? "" : `[${distinct.join(", ")}]`
}

/** The value as Go's `%v` prints what encoding/json decodes it to: `map[a:1 b:[x y]]`, `<nil>`. */
export function goValue(value: unknown): string {
  if (value === null || value === undefined) return "<nil>"
  if (typeof value !== "object") return String(value as string | number | boolean)
  if (Array.isArray(value)) return `[${value.map(goValue).join(" ")}]`
  const source = value as Readonly<Record<string, unknown>>
  const keys = Object.keys(source).sort(compareBytes)
  return `map[${keys.map((key) => `${key}:${goValue(source[key])}`).join(" ")}]`
}

/** The Go type of what encoding/json decodes a value to: `map[string]interface {}`, `int64`, `<nil>`. */
export function goTypeOf(value: unknown): string {
  if (value === null || value === undefined) return "<nil>"
  if (Array.isArray(value)) return "[]interface {}"
  switch (typeof value) {
    case "object":
      return "map[string]interface {}"
    case "string":
      return "string"
    case "boolean":
      return "bool"
    default:
      return Number.isInteger(value) ? "int64" : "float64"
  }
}
