/** Regular expressions of schemas: Go's syntax, in time linear in the text. */
import { RE2JS } from "re2js"

/** Whether a text has a match; undefined for what is no expression to Go, which then matches nothing. */
export function linearPattern(pattern: string): ((text: string) => boolean) | undefined {
  try {
    const compiled = RE2JS.compile(pattern)
    return (text) => compiled.matcher(text).find()
  } catch {
    return undefined
  }
}
