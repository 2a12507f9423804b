/** `$(NAME)` in commands, arguments, environment values and paths. Mirrors: third_party/forked/golang/expansion */

/** Replaces what `lookup` knows; unknown names stay as they are, `$$` is one `$`. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  let out = ""
  let from = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== "$" || at + 1 >= text.length) continue
    out += text.slice(from, at)
    const next = text[at + 1]!
    const end = next === "(" ? text.indexOf(")", at + 2) : -1
    if (next === "$") {
      out += "$"
      at++
    } else if (end >= 0) {
      const name = text.slice(at + 2, end)
      out += lookup(name) ?? `$(${name})`
      at = end
    } else if (next === "(") {
      out += "$("
      at++
    } else {
      out += `$${next}`
      at++
    }
    from = at + 1
  }
  return out + text.slice(from)
}
