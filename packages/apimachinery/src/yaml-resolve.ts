/** What a plain YAML scalar means by Go's rules (YAML 1.1, more or less). Mirrors: go.yaml.in/yaml/v2 resolve.go */

const booleans = new Map<string, boolean>()
for (const word of ["y", "yes", "true", "on"]) addWords(word, true)
for (const word of ["n", "no", "false", "off"]) addWords(word, false)

function addWords(word: string, value: boolean): void {
  booleans.set(word, value)
  booleans.set(word[0]!.toUpperCase() + word.slice(1), value)
  booleans.set(word.toUpperCase(), value)
}

const nulls = new Set(["", "~", "null", "Null", "NULL"])
const specialFloats = new Map<string, number>()
for (const word of [".inf", ".Inf", ".INF"]) {
  specialFloats.set(word, Infinity)
  specialFloats.set(`+${word}`, Infinity)
  specialFloats.set(`-${word}`, -Infinity)
}
for (const word of [".nan", ".NaN", ".NAN"]) specialFloats.set(word, NaN)

const float = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/
const timestamp =
  /^\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]|[ \t]+)\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?[ \t]*(?:Z|[-+]\d{1,2}(?::\d{2})?)?)?$/

/** A signed or unsigned 64-bit integer in any of Go's notations: `12`, `0x1f`, `0o17`, `017`, `0b11`. */
function readInteger(text: string): number | undefined {
  const m = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9]\d*))$/.exec(text)
  if (!m) return undefined
  const digits = m[2] ? `0x${m[2]}` : m[3] ? `0b${m[3]}` : m[4] ? `0o${m[4]}` : m[5]!
  // No 64-bit number is as long, in any notation.
  if (digits.length > 128) return undefined
  const value = BigInt(digits)
  if (m[1] === "-" ? value > 2n ** 63n : value >= 2n ** (m[1] === "+" ? 63n : 64n)) return undefined
  return Number(m[1] === "-" ? -value : value)
}

export type YamlScalar = string | number | boolean | null

/** The value of a plain scalar. A timestamp stays text. */
export function resolvePlain(text: string): YamlScalar {
  const word = booleans.get(text)
  if (word !== undefined) return word
  if (nulls.has(text)) return null
  const special = specialFloats.get(text)
  if (special !== undefined) return special
  if (!/^[-+.\d]/.test(text) || timestamp.test(text)) return text
  if (text[0] === ".") return /^\.\d+(?:_?\d)*(?:[eE][-+]?\d+)?$/.test(text) ? Number(text) : text
  const plain = text.replaceAll("_", "")
  const integer = readInteger(plain)
  if (integer !== undefined) return integer === 0 ? 0 : integer
  if (!float.test(plain)) return text
  // What no float64 holds is no number to Go.
  const value = Number(plain)
  return Number.isFinite(value) ? value : text
}

const base60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/

/** Whether a text would mean something else if it were written plain. */
export function needsQuotes(text: string): boolean {
  if (/^[-+.\d]/.test(text) && (timestamp.test(text) || base60.test(text))) return true
  return typeof resolvePlain(text) !== "string"
}
