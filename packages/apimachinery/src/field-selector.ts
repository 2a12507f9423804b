/** Selectors of fields. Mirrors: apimachinery pkg/fields/selector.go */
import { compareBytes } from "./go-format.ts"

/** What a selector asks of one field. */
export interface FieldRequirement {
  readonly field: string
  readonly operator: "=" | "!="
  readonly value: string
}

/** A compiled selector. Immutable. */
export interface FieldSelector {
  /** `read` gives the text of a field, "" when the object has none. */
  matches(read: (field: string) => string): boolean
  readonly empty: boolean
  readonly requirements: readonly FieldRequirement[]
  /** The only value of `field` that can match, if there is one. */
  exactValue(field: string): string | undefined
  toString(): string
}

class CompiledFieldSelector implements FieldSelector {
  readonly requirements: readonly FieldRequirement[]
  constructor(requirements: readonly FieldRequirement[]) {
    this.requirements = requirements
  }

  get empty(): boolean {
    return this.requirements.length === 0
  }

  matches(read: (field: string) => string): boolean {
    const all = this.requirements
    for (let i = 0; i < all.length; i++) {
      const { field, operator, value } = all[i]!
      if ((read(field) === value) !== (operator === "=")) return false
    }
    return true
  }

  exactValue(field: string): string | undefined {
    return this.requirements.find((r) => r.operator === "=" && r.field === field)?.value
  }

  toString(): string {
    return this.requirements.map((r) => `${r.field}${r.operator}${escapeFieldValue(r.value)}`).join(",")
  }
}

/** The field selector that asks nothing. */
export const everyField: FieldSelector = new CompiledFieldSelector([])

/** A selector of requirements, in their order. */
export function fieldSelectorOf(requirements: readonly FieldRequirement[]): FieldSelector {
  return requirements.length === 0 ? everyField : new CompiledFieldSelector(requirements)
}

/** `value` as it stands in the text of a selector. */
export function escapeFieldValue(value: string): string {
  return value.replace(/[\\,=]/g, "\\$&")
}

function unescape(text: string): string {
  if (!/[\\,=]/.test(text)) return text
  let out = ""
  let escaped = false
  for (const rune of text) {
    if (escaped) {
      if (rune !== "\\" && rune !== "," && rune !== "=")
        throw new Error(`invalid field selector: invalid escape sequence: \\${rune}`)
      out += rune
      escaped = false
    } else if (rune === "\\") escaped = true
    else if (rune === "," || rune === "=") {
      throw new Error(`invalid field selector: unescaped character in value: ${rune.codePointAt(0)}`)
    } else out += rune
  }
  if (escaped) throw new Error("invalid field selector: invalid escape sequence: \\")
  return out
}

function splitTerms(text: string): string[] {
  const out: string[] = []
  let start = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++
    else if (text[i] === ",") {
      out.push(text.slice(start, i))
      start = i + 1
    }
  }
  out.push(text.slice(start))
  return out
}

/** Reads `metadata.name=a,status.phase!=Running`. Throws an Error with upstream's message. */
export function parseFieldSelector(text: string): FieldSelector {
  if (text === "") return everyField
  const requirements: FieldRequirement[] = []
  for (const term of splitTerms(text).sort(compareBytes)) {
    if (term === "") continue
    const m = /^([^]*?)(!=|==|=)([^]*)$/.exec(term)
    if (!m) throw new Error(`invalid selector: '${text}'; can't understand '${term}'`)
    const value = unescape(m[3]!)
    // A term such as "=" asks nothing (upstream drops it when it transforms the selector).
    if (m[1] === "" && value === "") continue
    requirements.push({ field: m[1]!, operator: m[2] === "!=" ? "!=" : "=", value })
  }
  return fieldSelectorOf(requirements)
}
