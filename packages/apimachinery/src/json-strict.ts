/** Unknown and duplicate fields of JSON text, in the order of the text. Mirrors: sigs.k8s.io/json (strict decoding) */
import type { Schema } from "./schema.ts"

/** Upstream reports no more. */
const maxStrictErrors = 100

/** How many keys the objects in a parsed value have. */
export function countKeys(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0
  let count = 0
  if (Array.isArray(value)) for (const item of value) count += countKeys(item)
  else {
    for (const key in value) {
      count++
      const item = (value as Record<string, unknown>)[key]
      if (typeof item === "object") count += countKeys(item)
    }
  }
  return count
}

/** How many keys the objects in a valid JSON text have, duplicates included. */
export function countTextKeys(text: string): number {
  let count = 0
  for (let at = 0; at < text.length;) {
    const quote = text.indexOf('"', at)
    const end = quote < 0 ? text.length : quote
    for (let i = at; i < end; i++) if (text.charCodeAt(i) === 58) count++
    if (quote < 0) return count
    at = stringEnd(text, quote)
  }
  return count
}

/** The index after the string that starts at `quote`. */
function stringEnd(text: string, quote: number): number {
  for (let at = quote + 1; ;) {
    const close = text.indexOf('"', at)
    if (close < 0) return text.length
    let slashes = 0
    while (text.charCodeAt(close - 1 - slashes) === 92) slashes++
    if (slashes % 2 === 0) return close + 1
    at = close + 1
  }
}

class StrictScanner {
  readonly #text: string
  readonly #errors = new Set<string>()
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get errors(): string[] {
    return [...this.#errors].slice(0, maxStrictErrors)
  }

  /** `schema` undefined: any value, duplicates are reported; null: a value to step over. */
  value(known: Schema | undefined | null, path: string): void {
    // What is inside a value of any type is not looked at.
    const schema = known && !["object", "map", "array"].includes(known.type) ? null : known
    this.#space()
    switch (this.#text[this.#at]) {
      case "{":
        this.#object(schema, path)
        break
      case "[":
        this.#array(schema, path)
        break
      case '"':
        this.#at = stringEnd(this.#text, this.#at)
        break
      default:
        while (this.#at < this.#text.length && !",]} \t\r\n".includes(this.#text[this.#at]!)) this.#at++
    }
  }

  #space(): void {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at++
  }

  #object(schema: Schema | undefined | null, path: string): void {
    const seen = new Set<string>()
    this.#at++
    for (;;) {
      this.#space()
      if (this.#text[this.#at] !== '"') break
      const from = this.#at
      this.#at = stringEnd(this.#text, from)
      const name = JSON.parse(this.#text.slice(from, this.#at)) as string
      const full = path === "" ? name : `${path}.${name}`
      const inner = memberOf(schema, name)
      if (inner === "unknown") this.#report("unknown", full)
      else if (seen.has(name) && schema !== null) this.#report("duplicate", full)
      seen.add(name)
      this.#space()
      this.#at++
      this.value(inner === "unknown" ? null : inner, full)
      this.#space()
      if (this.#text[this.#at] === ",") this.#at++
    }
    this.#at++
  }

  #array(schema: Schema | undefined | null, path: string): void {
    const items = schema?.type === "array" ? schema.items : schema === undefined ? undefined : null
    this.#at++
    for (let i = 0; ; i++) {
      this.#space()
      if (this.#at >= this.#text.length || this.#text[this.#at] === "]") break
      this.value(items, `${path}[${i}]`)
      this.#space()
      if (this.#text[this.#at] === ",") this.#at++
    }
    this.#at++
  }

  #report(what: "unknown" | "duplicate", path: string): void {
    this.#errors.add(`${what} field ${JSON.stringify(path)}`)
  }
}

function memberOf(schema: Schema | undefined | null, name: string): Schema | undefined | null | "unknown" {
  if (!schema) return schema
  if (schema.type === "map") return schema.values ?? undefined
  if (schema.type !== "object") return null
  const field = schema.fields?.get(name)
  if (field) return field.schema
  return schema.preserveUnknown ? null : "unknown"
}

/**
 * Unknown and duplicate fields of a valid JSON text: `unknown field "spec.foo"`, at most 100, each once. Without a
 * schema no field is unknown and duplicates are found at every level (custom resources).
 */
export function scanStrict(text: string, schema?: Schema): string[] {
  const scanner = new StrictScanner(text)
  scanner.value(schema, "")
  return scanner.errors
}
