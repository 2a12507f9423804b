/**
 * YAML as kubectl prints it: fields sorted, lists not indented under their key, go-yaml's quoting and its folding at
 * 80 columns. Mirrors: sigs.k8s.io/yaml, go.yaml.in/yaml/v2 (encode.go, sorter.go, emitterc.go)
 */
import { needsQuotes } from "./yaml-resolve.ts"

const bestWidth = 80
/** A longer key, or one of several lines, is written with `?`. */
const maxSimpleKey = 128

/** A JSON value as one YAML document, with a newline at its end. */
export function stringifyYaml(value: unknown): string {
  const out: string[] = []
  if (isBlock(value)) writeBlock(value, 0, out, true)
  else out.push(scalar(value, 0, 2), "\n")
  const text = out.join("")
  return text.endsWith("\n") ? text : text + "\n"
}

type Block = unknown[] | Record<string, unknown>

/** A list or object with something in it; empty ones are written `[]` and `{}`. */
function isBlock(value: unknown): value is Block {
  if (typeof value !== "object" || value === null) return false
  return Array.isArray(value) ? value.length > 0 : fieldsOf(value as Record<string, unknown>).length > 0
}

function fieldsOf(value: Record<string, unknown>): string[] {
  return Object.keys(value).filter((key) => value[key] !== undefined)
}

/** Writes lines at `indent`; the first is not indented when it continues a line. Every line ends in a newline. */
function writeBlock(value: Block, indent: number, out: string[], continues: boolean): void {
  const margin = " ".repeat(indent)
  let first = continues
  if (Array.isArray(value)) {
    for (const item of value) {
      out.push(first ? "- " : `${margin}- `)
      first = false
      if (isBlock(item)) writeBlock(item, indent + 2, out, true)
      else writeScalarLine(item, indent + 2, indent + 2, out)
    }
    return
  }
  for (const name of fieldsOf(value).sort(compareKeys)) {
    if (!first) out.push(margin)
    first = false
    const item = value[name]
    if (name.includes("\n") || Buffer.byteLength(name) > maxSimpleKey) {
      const key = scalar(name, indent + 2, indent + 2)
      out.push("? ", key, key.endsWith("\n") ? "" : "\n", margin, ": ")
      if (isBlock(item)) writeBlock(item, indent + 2, out, true)
      else writeScalarLine(item, indent + 2, indent + 2, out)
      continue
    }
    const key = scalar(name, 0, 0, true)
    out.push(key, ":")
    if (!isBlock(item)) {
      out.push(" ")
      writeScalarLine(item, indent + key.length + 2, indent + 2, out)
    } else {
      out.push("\n")
      writeBlock(item, Array.isArray(item) ? indent : indent + 2, out, false)
    }
  }
}

function writeScalarLine(value: unknown, column: number, indent: number, out: string[]): void {
  const text = scalar(value, column, indent)
  out.push(text)
  if (!text.endsWith("\n")) out.push("\n")
}

/** `column` is where the text begins, `indent` where its further lines do. */
function scalar(value: unknown, column: number, indent: number, isKey = false): string {
  switch (typeof value) {
    case "string":
      return text(value, column, indent, isKey)
    case "number":
      return formatNumber(value)
    case "boolean":
      return value ? "true" : "false"
    case "bigint":
      return value.toString()
    default:
      return value === null || value === undefined ? "null" : Array.isArray(value) ? "[]" : "{}"
  }
}

function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 64) return BigInt(value).toString()
  if (value === Infinity) return ".inf"
  if (value === -Infinity) return "-.inf"
  if (Number.isNaN(value)) return ".nan"
  const [digits, exponent] = value.toExponential().split("e") as [string, string]
  const power = Number(exponent)
  if (power >= -4 && power < 6) return value.toString()
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`
}

/** What go-yaml's emitter finds out about a text before it chooses a style. */
interface Analysis {
  readonly plainAllowed: boolean
  readonly singleAllowed: boolean
  readonly blockAllowed: boolean
}

// Printable to go-yaml; what lies beyond the basic plane, tabs and line separators are not.
const special = /[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]/

function analyze(value: string): Analysis {
  const outerSpace = /^[ \n]|[ \n]$/.test(value)
  const lineBreaks = value.includes("\n")
  const isSpecial = special.test(value) || / \n/.test(value)
  const breakSpace = /\n /.test(value)
  const indicators =
    /^(?:---|\.\.\.)/.test(value) ||
    /^[#,[\]{}&*!|>'"%@`]/.test(value) ||
    /^[?:-](?:[ \n]|$)/.test(value) ||
    /:(?:[ \n]|$)/.test(value) ||
    /[ \n]#/.test(value)
  return {
    plainAllowed: !outerSpace && !lineBreaks && !isSpecial && !breakSpace && !indicators,
    singleAllowed: !isSpecial && !breakSpace,
    blockAllowed: !isSpecial && !value.endsWith(" "),
  }
}

const safePlain = /^[A-Za-z/][A-Za-z0-9/._-]*$/

function text(value: string, column: number, indent: number, isKey: boolean): string {
  if (value.length <= bestWidth && safePlain.test(value)) return needsQuotes(value) ? `"${value}"` : value
  const facts = analyze(value)
  if (value.includes("\n")) {
    return facts.blockAllowed && !isKey ? literal(value, indent) : doubleQuoted(value, column, indent, isKey)
  }
  if (value === "" || needsQuotes(value)) return doubleQuoted(value, column, indent, isKey)
  if (facts.plainAllowed) return isKey ? value : fold(value, column, indent, false)
  if (!facts.singleAllowed) return doubleQuoted(value, column, indent, isKey)
  const quoted = isKey ? value.replaceAll("'", "''") : fold(value, column + 1, indent, true)
  return `'${quoted}'`
}

/** Breaks at single spaces beyond column 80. */
function fold(value: string, column: number, indent: number, quoted: boolean): string {
  if (column + value.length * 2 <= bestWidth) return quoted ? value.replaceAll("'", "''") : value
  const margin = "\n" + " ".repeat(indent)
  let out = ""
  let at = column
  let previousSpace = false
  for (let i = 0; i < value.length; i++) {
    const char = value[i]!
    if (char === " ") {
      const inside = !quoted || (i > 0 && i < value.length - 1)
      if (!previousSpace && at > bestWidth && inside && value[i + 1] !== " ") {
        out += margin
        at = indent
      } else {
        out += char
        at++
      }
      previousSpace = true
      continue
    }
    if (quoted && char === "'") {
      out += "''"
      at += 2
    } else {
      out += char
      at++
    }
    previousSpace = false
  }
  return out
}

const escapes: Readonly<Record<string, string>> = {
  "\0": "\\0",
  "\u0007": "\\a",
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\v": "\\v",
  "\f": "\\f",
  "\r": "\\r",
  "\u001b": "\\e",
  '"': '\\"',
  "\\": "\\\\",
  "\u0085": "\\N",
  "\u2028": "\\L",
  "\u2029": "\\P",
}

function escapeChar(char: string): string {
  const short = escapes[char]
  if (short !== undefined) return short
  const code = char.codePointAt(0)!
  const hex = code.toString(16).toUpperCase()
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`
}

function doubleQuoted(value: string, column: number, indent: number, isKey: boolean): string {
  const margin = "\n" + " ".repeat(indent)
  const chars = Array.from(value)
  let out = '"'
  let at = column + 1
  let previousSpace = false
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!
    if (char === " ") {
      const fold = !isKey && !previousSpace && at > bestWidth && i > 0 && i < chars.length - 1
      if (fold) {
        out += margin
        at = indent
        if (chars[i + 1] === " ") {
          out += "\\"
          at++
        }
      } else {
        out += " "
        at++
      }
      previousSpace = true
      continue
    }
    const shown =
      char === '"' || char === "\\" || char === "\n" || special.test(char) ? escapeChar(char) : char
    out += shown
    at += shown.length
    previousSpace = false
  }
  return out + '"'
}

function literal(value: string, indent: number): string {
  const margin = " ".repeat(indent)
  const hint = /^[ \n]/.test(value) ? "2" : ""
  const chomp = !value.endsWith("\n") ? "-" : value === "\n" || value.endsWith("\n\n") ? "+" : ""
  const ended = value.endsWith("\n")
  const lines = (ended ? value.slice(0, -1) : value).split("\n")
  const body = lines.map((line) => (line === "" ? "" : margin + line)).join("\n")
  return `|${hint}${chomp}\n${body}\n`
}

const letter = /^\p{L}$/u
const digit = /^\p{Nd}$/u

/** Letters by code, numbers by value, everything else before letters: `a2` comes before `a10`. */
function compareKeys(a: string, b: string): number {
  const ar = Array.from(a)
  const br = Array.from(b)
  for (let i = 0; i < ar.length && i < br.length; i++) {
    const x = ar[i]!
    const y = br[i]!
    if (x === y) continue
    const xLetter = letter.test(x)
    const yLetter = letter.test(y)
    const order = x.codePointAt(0)! - y.codePointAt(0)!
    if (xLetter && yLetter) return order
    if (xLetter || yLetter) return yLetter ? -1 : 1
    const lead = (x === "0" || y === "0") && hasNonZeroBefore(ar, i) ? "1" : ""
    const xDigits = digitsFrom(ar, i)
    const yDigits = digitsFrom(br, i)
    const xNumber = BigInt(lead + xDigits || "0")
    const yNumber = BigInt(lead + yDigits || "0")
    if (xNumber !== yNumber) return xNumber < yNumber ? -1 : 1
    if (xDigits.length !== yDigits.length) return xDigits.length - yDigits.length
    return order
  }
  return ar.length - br.length
}

function digitsFrom(runes: readonly string[], from: number): string {
  let out = ""
  for (let i = from; i < runes.length && /^[0-9]$/.test(runes[i]!); i++) out += runes[i]!
  return out
}

function hasNonZeroBefore(runes: readonly string[], at: number): boolean {
  for (let i = at - 1; i >= 0 && digit.test(runes[i]!); i--) if (runes[i] !== "0") return true
  return false
}
