/**
 * Regular expressions in linear time, with Go's syntax. Compiled ones are kept.
 * Mirrors: Go regexp
 */
import { RE2JS, RE2JSSyntaxException } from "re2js"

const kept = new Map<string, RE2JS | string>()
const maxKept = 1024
/** Patterns so long are compiled each time. */
const maxKeptLength = 4096

/** The expression, or why it is none, as Go says it. */
export function compiledRegex(pattern: string): RE2JS | string {
  const known = kept.get(pattern)
  if (known !== undefined) return known
  let regex: RE2JS | string
  try {
    regex = RE2JS.compile(pattern)
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error
    const text = error.getPattern()
    regex = `error parsing regexp: ${error.getDescription()}${text === null || text === "" ? "" : `: \`${text}\``}`
  }
  if (kept.size >= maxKept) kept.clear()
  if (pattern.length <= maxKeptLength) kept.set(pattern, regex)
  return regex
}
