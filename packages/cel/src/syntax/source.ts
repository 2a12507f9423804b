/**
 * The text of an expression, places in it, and how an issue is shown: `ERROR: <input>:1:5: …` with the line and a
 * caret, as clients of Kubernetes know it.
 * Mirrors: cel-go common/source.go, common/error.go, common/errors.go
 */

/** A line (from 1) and a column (from 0, in code points); line -1 when an issue has no place. */
export interface Location {
  readonly line: number
  readonly column: number
}

export const noLocation: Location = { line: -1, column: -1 }

/** The offset of what is nowhere in the text, which is shown before its start. */
export const beforeStart = -2

/** Longer lines are not shown below a message. */
const maxSnippetLength = 16384
const maxIssues = 100

/** One complaint about an expression. */
export interface CelIssue {
  readonly location: Location
  readonly message: string
}

/** The text and where its lines begin. Offsets are UTF-16 units. */
export class Source {
  readonly text: string
  readonly #lines: number[] = [0]

  constructor(text: string) {
    this.text = text
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#lines.push(at + 1)
  }

  location(offset: number): Location {
    if (offset === beforeStart || this.text === "") return { line: 1, column: -1 }
    if (offset < 0) return noLocation
    let low = 0
    let high = this.#lines.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#lines[middle]! <= offset) low = middle
      else high = middle - 1
    }
    const start = this.#lines[low]!
    return { line: low + 1, column: countCodePoints(this.text.slice(start, offset)) }
  }

  /** The text of a line, or undefined where there is none. */
  line(number: number): string | undefined {
    const start = this.#lines[number - 1]
    if (start === undefined || this.text === "") return undefined
    const next = this.#lines[number]
    return this.text.slice(start, next === undefined ? undefined : next - 1)
  }
}

export function countCodePoints(text: string): number {
  let count = text.length
  for (let i = 0; i < text.length - 1; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0xd800 || unit > 0xdbff) continue
    const next = text.charCodeAt(i + 1)
    if (next >= 0xdc00 && next <= 0xdfff) {
      count--
      i++
    }
  }
  return count
}

/** What is wrong with an expression, in the order of the text. */
export class CelIssues {
  readonly source: Source
  readonly #issues: CelIssue[] = []
  #count = 0

  constructor(source: Source) {
    this.source = source
  }

  get count(): number {
    return this.#count
  }

  get issues(): readonly CelIssue[] {
    return this.#issues.toSorted(
      (a, b) => a.location.line - b.location.line || a.location.column - b.location.column,
    )
  }

  report(location: Location, message: string): void {
    if (++this.#count <= maxIssues) this.#issues.push({ location, message })
  }

  /** All issues as cel-go prints them. */
  toString(): string {
    const shown = this.issues.map((issue) => display(this.source, issue))
    if (this.#count > maxIssues) shown.push(`${this.#count - maxIssues} more errors were truncated`)
    return shown.join("\n")
  }
}

function display(source: Source, { location, message }: CelIssue): string {
  const head = `ERROR: <input>:${location.line}:${location.column + 1}: ${message}`
  const line = location.line < 1 ? undefined : source.line(location.line)
  if (line === undefined || Buffer.byteLength(line) > maxSnippetLength) return head
  const points = Array.from(line.replaceAll("\t", " "))
  const wide = (point: string | undefined): boolean => point !== undefined && point.codePointAt(0)! > 0x7f
  const dots = points.slice(0, Math.max(location.column, 0)).map((point) => (wide(point) ? "．" : "."))
  return `${head}\n | ${points.join("")}\n | ${dots.join("")}${wide(points[location.column]) ? "＾" : "^"}`
}
