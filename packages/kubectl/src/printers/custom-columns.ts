/** `-o custom-columns=NAME:.metadata.name`. Mirrors: kubectl pkg/cmd/get/customcolumn.go */
import { goValue, relaxedJSONPath, parseJSONPath, type JSONPath } from "@knarr/apimachinery"
import { isList, type Obj } from "../object.ts"
import type { ObjectPrinter } from "./printer.ts"
import { escapeTerminal } from "./table.ts"
import type { TabWriter } from "./tab-writer.ts"

interface CustomColumn {
  readonly header: string
  readonly path: JSONPath
}

/** What `get` prints objects with when not in a table of the server's. */
export type GetPrinter = ObjectPrinter | CustomColumnsPrinter

class CustomColumnsPrinter {
  readonly #columns: readonly CustomColumn[]
  readonly #noHeaders: boolean
  #printedHeaders = false

  constructor(columns: readonly CustomColumn[], noHeaders: boolean) {
    this.#columns = columns
    this.#noHeaders = noHeaders
  }

  print(obj: Obj, to: TabWriter): void {
    if (!this.#noHeaders && !this.#printedHeaders) {
      to.write(`${this.#columns.map((column) => column.header).join("\t")}\n`)
      this.#printedHeaders = true
    }
    for (const item of isList(obj) || obj["kind"] === "List" ? (obj["items"] as Obj[]) : [obj]) {
      to.write(`${this.#columns.map((column) => cell(column, item)).join("\t")}\n`)
    }
  }
}

function cell(column: CustomColumn, item: Obj): string {
  const values = column.path.findResults(item).flat()
  if (values.length === 0) return "<none>"
  return values.map((value) => escapeTerminal(goValue(value))).join(",")
}

/** From the text behind `custom-columns=`. Throws with upstream's message. */
export function customColumnsFromSpec(spec: string, noHeaders: boolean): CustomColumnsPrinter {
  if (spec === "") throw new Error("custom-columns format specified but no custom columns given")
  const columns = splitOutsideBraces(spec).map((part) => {
    const colon = part.indexOf(":")
    if (colon < 0 || part.slice(colon + 1) === "") {
      throw new Error(`unexpected custom-columns spec: ${part}, expected <header>:<json-path-expr>`)
    }
    return column(part.slice(0, colon), part.slice(colon + 1))
  })
  return new CustomColumnsPrinter(columns, noHeaders)
}

/** From a file of two lines: headers, then paths. Throws with upstream's message. */
export function customColumnsFromTemplate(text: string, noHeaders: boolean): CustomColumnsPrinter {
  const words = (line: string | undefined): string[] => (line ?? "").split(/\s+/).filter(Boolean)
  const [first, second] = text.split("\n")
  const headers = words(first)
  const specs = words(second)
  if (headers.length !== specs.length) {
    throw new Error(
      `number of headers (${headers.length}) and field specifications (${specs.length}) don't match`,
    )
  }
  return new CustomColumnsPrinter(
    headers.map((header, i) => column(header, specs[i]!)),
    noHeaders,
  )
}

function column(header: string, path: string): CustomColumn {
  return { header, path: parseJSONPath(relaxedJSONPath(path), { allowMissingKeys: true }) }
}

function splitOutsideBraces(text: string): string[] {
  const out: string[] = []
  let depth = 0
  let part = ""
  for (const char of text) {
    if (char === "{" || char === "[" || char === "(") depth++
    if (char === "}" || char === "]" || char === ")") depth--
    if (char === "," && depth === 0) {
      out.push(part)
      part = ""
    } else part += char
  }
  return [...out, part]
}
