/** Text in columns: cells end with a tab, a column is as wide as its widest cell. Mirrors: Go text/tabwriter */

export interface TabWriterOptions {
  readonly minWidth: number
  readonly padding: number
  /** Columns never become narrower than they were before a flush. */
  readonly rememberWidths?: boolean
}

/** Tables of `get`. */
export const tableTabs: TabWriterOptions = { minWidth: 6, padding: 3, rememberWidths: true }
/** Indented texts of `describe`. */
export const describeTabs: TabWriterOptions = { minWidth: 0, padding: 2 }

export class TabWriter {
  readonly #options: TabWriterOptions
  readonly #write: (text: string) => void
  #lines: string[][] = [[]]
  #cell = ""
  #remembered: number[] = []

  constructor(options: TabWriterOptions, write: (text: string) => void) {
    this.#options = options
    this.#write = write
  }

  write(text: string): void {
    let from = 0
    for (let i = 0; i < text.length; i++) {
      const char = text.charCodeAt(i)
      if (char !== 9 && char !== 10) continue
      this.#lines.at(-1)!.push(this.#cell + text.slice(from, i))
      this.#cell = ""
      from = i + 1
      if (char === 10) this.#lines.push([])
    }
    this.#cell += text.slice(from)
  }

  /** The next columns may be narrower again. */
  forgetWidths(): void {
    this.#remembered = []
  }

  flush(): void {
    this.#lines.at(-1)!.push(this.#cell)
    this.#cell = ""
    const lines = this.#lines
    this.#lines = [[]]
    const widths: number[] = []
    let out = ""
    const print = (from: number, to: number): void => {
      for (let i = from; i < to; i++) {
        const line = lines[i]!
        for (let j = 0; j < line.length; j++) {
          const cell = line[j]!
          const width = widths[j]
          out += width === undefined ? cell : cell + " ".repeat(Math.max(0, width - runeCount(cell)))
        }
        if (i + 1 < lines.length) out += "\n"
      }
    }
    const format = (from: number, to: number): void => {
      const column = widths.length
      let first = from
      for (let i = from; i < to; i++) {
        if (column >= lines[i]!.length - 1) continue
        print(first, i)
        first = i
        let width = this.#options.minWidth
        for (; i < to && column < lines[i]!.length - 1; i++) {
          width = Math.max(width, runeCount(lines[i]![column]!) + this.#options.padding)
        }
        widths.push(this.#remember(column, width))
        format(first, i)
        widths.pop()
        first = i
      }
      print(first, to)
    }
    format(0, lines.length)
    if (out !== "") this.#write(out)
  }

  #remember(column: number, width: number): number {
    if (!this.#options.rememberWidths) return width
    return (this.#remembered[column] = Math.max(this.#remembered[column] ?? 0, width))
  }
}

function runeCount(text: string): number {
  let count = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0xdc00 && code <= 0xdfff) count--
  }
  return count
}
