/**
 * Regular expressions with Go's syntax and messages, in time linear in the text. The last ones are kept.
 * Mirrors: Go regexp, regexp/syntax
 */
import { RE2JS, RE2JSSyntaxException } from "re2js"

const kept = new Map<string, RE2JS | string>()
const maxKept = 1024
/** Patterns so long, in characters, are compiled each time. */
const maxKeptLength = 4096

/** The expression, or why it is none, as Go says it. Ask it by `test` where a yes or no will do: that is far faster. */
export function goRegexp(pattern: string): RE2JS | string {
  const known = kept.get(pattern)
  if (known !== undefined) return known
  const made = compile(pattern)
  if (kept.size >= maxKept) kept.clear()
  if (pattern.length <= maxKeptLength) kept.set(pattern, made)
  return made
}

function compile(pattern: string): RE2JS | string {
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error
    const description = error.getDescription()
    const text = error.getPattern() ?? ""
    const hasText = text !== "" || description.startsWith("trailing backslash")
    return `error parsing regexp: ${description}${hasText ? `: \`${text}\`` : ""}`
  }
}
