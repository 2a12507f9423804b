/** Line breaks of a text that lost them: each became a space. */

const words = 4

/** `text` with the line breaks of an earlier wording, and where that does not tell with those that its spaces give away. */
export function restoreLineBreaks(text: string, older: string | undefined): string {
  if (text.includes("\n")) return text
  if (older && plain(text) === plain(older)) return older
  let out = text
  // Four words before and four after: a break of the older wording is one here too.
  for (const match of older?.matchAll(/\n\s*/g) ?? []) {
    const before = older!.slice(0, match.index).trimEnd().split(/\s+/).slice(-words)
    const after = older!.slice(match.index + match[0].length).split(/\s+/, words)
    const around = `(?<=${before.map(escape).join("\\s+")})\\s+(?=${after.map(escape).join("\\s+")})`
    out = out.replace(new RegExp(around), () => match[0])
  }
  const typed = new Set(older?.match(twoSpaces) ?? [])
  return (
    out
      // An empty line became two spaces, but some authors type two after a sentence.
      .replace(twoSpaces, (found, before: string, after: string) =>
        typed.has(found) ? found : `${before}\n\n${after}`,
      )
      // The published texts keep a line only if it is indented.
      .replace(/(\S) (  +)(?=\S)/g, "$1\n$2")
      // After an indented line, what looks like the next item of a list is one.
      .replace(/(\n {2,}\S[^\n]*?) (?=(?:[-*]|\d\)) )/g, "$1\n")
  )
}

/** The word before, the word after. */
const twoSpaces = /([^\s]*[.:;!)`"])  ([^\s]+)/g

function plain(text: string): string {
  return text.replace(/\s+/g, " ").trim()
}

function escape(word: string): string {
  return word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")
}
