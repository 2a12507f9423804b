/** Whether a text is a regular expression to Go, whose expressions take linear time. Mirrors: regexp/syntax */

/** What Go says of a pattern that it cannot compile, as far as it can be told; undefined for one that it can. */
export function patternProblem(pattern: string): string | undefined {
  const perl = /(?:^|[^\\])(\(\?(?:[=!>]|<[=!]))/.exec(pattern)?.[1]
  if (perl) return `error parsing regexp: invalid or unsupported Perl syntax: \`${perl}\``
  const back = /(?:^|[^\\])(?:\\\\)*(\\[1-9])/.exec(pattern)?.[1]
  if (back) return `error parsing regexp: invalid escape sequence: \`${back}\``
  try {
    // Go's own ways to write flags, classes and names are taken as they are.
    new RegExp(pattern.replace(/\(\?(?:P<\w+>|[imsU-]+[:)])/g, "(").replace(/\[:\^?\w+:\]/g, "a"))
    return undefined
  } catch {
    return `error parsing regexp: ${reasonOf(pattern)}`
  }
}

function reasonOf(pattern: string): string {
  const repeat = /(?:^|[(|])([*+?])/.exec(pattern)?.[1]
  if (repeat) return `missing argument to repetition operator: \`${repeat}\``
  const open = pattern.lastIndexOf("[")
  if (open > pattern.lastIndexOf("]")) return `missing closing ]: \`${pattern.slice(open)}\``
  const count = (text: string): number => pattern.split(text).length - 1
  if (count("(") > count(")")) return `missing closing ): \`${pattern}\``
  if (count(")") > count("(")) return `unexpected ): \`${pattern}\``
  if (pattern.endsWith("\\")) return "trailing backslash at end of expression: ``"
  return `invalid or unsupported Perl syntax: \`${pattern}\``
}
