/**
 * Functions on strings, and finding by regular expressions. Positions count code points.
 * Mirrors: cel-go ext/strings.go (version 2); apiserver pkg/cel/library/regex.go
 */
import { goRegexp } from "@knarr/apimachinery"
import type { Implementation } from "../run/functions.ts"
import { shown } from "../run/format.ts"
import { ArrayList, CelError, CelList, isInt, noSuchOverload, type Value } from "../run/values.ts"
import { formatted } from "./format-string.ts"

const outOfRange = (index: Value): CelError => new CelError(`index out of range: ${shown(index)}`)
const strings = (items: readonly string[]): ArrayList => new ArrayList(items)

/** The text as an array in which an index is a code point: the string itself while it has no surrogates. */
function points(text: string): string | string[] {
  return /[\ud800-\udfff]/.test(text) ? Array.from(text) : text
}
const joined = (part: string | string[]): string => (typeof part === "string" ? part : part.join(""))

function matchesAt(text: string | string[], part: string | string[], at: number): boolean {
  for (let i = 0; i < part.length; i++) if (text[at + i] !== part[i]) return false
  return true
}

const indexOf: Implementation = (value, part, offset = 0) => {
  if (Number(offset) < 0) return outOfRange(offset)
  const text = points(value as string)
  const from = Number(offset)
  if (part === "") return from > text.length ? text.length : offset
  if (from >= text.length) return -1
  if (typeof text === "string") return text.indexOf(part as string, from)
  const wanted = Array.from(part as string)
  for (let at = from; at <= text.length - wanted.length; at++) if (matchesAt(text, wanted, at)) return at
  return -1
}

const lastIndexOf: Implementation = (value, part, offset) => {
  const text = points(value as string)
  if (offset === undefined) {
    if (part === "") return text.length
    if (Buffer.byteLength(value as string) < Buffer.byteLength(part as string)) return -1
    offset = text.length - 1
  }
  if (Number(offset) < 0) return outOfRange(offset)
  if (part === "") return Number(offset) > text.length ? text.length : offset
  if (Number(offset) >= text.length) return -1
  const wanted = points(part as string)
  const from = Math.min(Number(offset), text.length - wanted.length)
  if (from < 0) return -1
  if (typeof text === "string") return text.lastIndexOf(part as string, from)
  const all = Array.from(part as string)
  for (let at = from; at >= 0; at--) if (matchesAt(text, all, at)) return at
  return -1
}

const substring: Implementation = (value, start, end) => {
  const text = points(value as string)
  if (end !== undefined && Number(start) > Number(end))
    return new CelError(`invalid substring range. start: ${shown(start!)}, end: ${shown(end)}`)
  if (Number(start) < 0 || Number(start) > text.length) return outOfRange(start!)
  if (end !== undefined && (Number(end) < 0 || Number(end) > text.length)) return outOfRange(end)
  return joined(text.slice(Number(start), end === undefined ? undefined : Number(end)))
}

const charAt: Implementation = (value, index) => {
  const text = points(value as string)
  const at = Number(index)
  return at < 0 || at > text.length ? outOfRange(index!) : at === text.length ? "" : text[at]!
}

const replace: Implementation = (value, old, by, limit = -1) => {
  const [text, from, to] = [value as string, old as string, by as string]
  if (Number(limit) < 0)
    return from === ""
      ? [to, ...Array.from(text, (char) => char + to)].join("")
      : text.replaceAll(from, () => to)
  let rest = Number(limit)
  if (from === "") {
    const chars = Array.from(text)
    let out = ""
    for (let i = 0; i <= chars.length; i++) out += (rest-- > 0 ? to : "") + (chars[i] ?? "")
    return out
  }
  let out = ""
  let at = 0
  for (; rest > 0; rest--) {
    const found = text.indexOf(from, at)
    if (found < 0) break
    out += text.slice(at, found) + to
    at = found + from.length
  }
  return out + text.slice(at)
}

const split: Implementation = (value, separator, limit = -1) => {
  const [text, by, most] = [value as string, separator as string, Number(limit)]
  if (most === 0) return strings([])
  if (by === "") {
    const chars = Array.from(text)
    return strings(
      most < 0 || most >= chars.length
        ? chars
        : [...chars.slice(0, most - 1), chars.slice(most - 1).join("")],
    )
  }
  const parts = text.split(by)
  return strings(
    most < 0 || parts.length <= most ? parts : [...parts.slice(0, most - 1), parts.slice(most - 1).join(by)],
  )
}

const join: Implementation = (list, separator = "") => {
  if (!(list instanceof CelList)) return noSuchOverload
  const parts: string[] = []
  for (let i = 0; i < list.size; i++) {
    const part = list.get(i)
    if (typeof part !== "string") return new CelError(`join: invalid input: ${shown(part)}`)
    parts.push(part)
  }
  return parts.join(separator as string)
}

const ascii =
  (pattern: RegExp, change: (char: string) => string): Implementation =>
  (value) =>
    (value as string).replace(pattern, change)

const quotes: Readonly<Record<string, string>> = {
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

const spaceBefore = /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/
const spaces = new Set(
  "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
)

function trim(text: string): string {
  let end = text.length
  while (end > 0 && spaces.has(text[end - 1]!)) end--
  return text.slice(0, end).replace(spaceBefore, "")
}

const find: Implementation = (value, pattern) => {
  const regex = goRegexp(pattern as string)
  if (typeof regex === "string") return new CelError(`Illegal regex: ${regex}`)
  const matcher = regex.matcher(value as string)
  return matcher.find() ? (matcher.group() ?? "") : ""
}

const findAll: Implementation = (value, pattern, limit = -1) => {
  if (!isInt(limit)) return noSuchOverload
  const regex = goRegexp(pattern as string)
  if (typeof regex === "string") return new CelError(`Illegal regex: ${regex}`)
  const found: string[] = []
  const matcher = regex.matcher(value as string)
  let last = -1
  while ((limit < 0 || found.length < limit) && matcher.find()) {
    // As Go does: an empty match right after another is none.
    if (matcher.end() === matcher.start() && matcher.start() === last) continue
    last = matcher.end()
    found.push(matcher.group() ?? "")
  }
  return strings(found)
}

/** By overload. */
export const stringOverloads: readonly (readonly [string, Implementation])[] = [
  ["string_char_at_int", charAt],
  ["string_index_of_string", indexOf],
  ["string_index_of_string_int", indexOf],
  ["string_last_index_of_string", lastIndexOf],
  ["string_last_index_of_string_int", lastIndexOf],
  ["string_lower_ascii", ascii(/[A-Z]+/g, (part) => part.toLowerCase())],
  ["string_upper_ascii", ascii(/[a-z]+/g, (part) => part.toUpperCase())],
  ["string_replace_string_string", replace],
  ["string_replace_string_string_int", replace],
  ["string_split_string", split],
  ["string_split_string_int", split],
  ["string_substring_int", substring],
  ["string_substring_int_int", substring],
  ["string_trim", (value) => trim(value as string)],
  ["list_join", join],
  ["list_join_string", join],
  [
    "strings_quote",
    (value) =>
      `"${(value as string).toWellFormed().replace(/[\u0007\b\f\n\r\t\v\\"]/g, (char) => quotes[char]!)}"`,
  ],
  [
    "string_format",
    (value, args) => (args instanceof CelList ? formatted(value as string, args) : noSuchOverload),
  ],
  ["string_find_string", find],
  ["string_find_all_string", findAll],
  ["string_find_all_string_int", findAll],
]
