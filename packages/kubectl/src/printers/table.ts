/** The tables of `get`, as the server made them. Mirrors: cli-runtime pkg/printers/tableprinter.go */
import { jsonEqual } from "@knarr/apimachinery"
import { kindName, type Obj } from "../object.ts"
import type { TabWriter } from "./tab-writer.ts"

export interface TableColumn {
  readonly name: string
  readonly type: string
  readonly format?: string
  readonly priority?: number
}

export interface TableRow {
  readonly cells: readonly unknown[]
  readonly object?: Obj
}

export interface Table extends Obj {
  kind: "Table"
  columnDefinitions?: TableColumn[]
  rows?: TableRow[] | null
}

export interface TableOptions {
  readonly noHeaders: boolean
  readonly wide: boolean
  readonly withNamespace: boolean
  /** Names are printed as `kind/name`. */
  readonly kind: { readonly kind: string; readonly group: string } | undefined
  readonly columnLabels: readonly string[]
  readonly showLabels: boolean
}

export function isTable(obj: Obj): obj is Table {
  return obj["kind"] === "Table" && String(obj["apiVersion"]).startsWith("meta.k8s.io/")
}

/** Prints tables one after the other; headers only where the columns change. */
export class TablePrinter {
  readonly #options: TableOptions
  #columns: readonly TableColumn[] = []
  #printedHeaders = false

  constructor(options: TableOptions) {
    this.#options = options
  }

  print(table: Table, to: TabWriter): void {
    const definitions = table.columnDefinitions ?? []
    let headers = !this.#options.noHeaders
    if (this.#printedHeaders && (definitions.length === 0 || jsonEqual(definitions, this.#columns))) {
      headers = false
    }
    if (definitions.length > 0 && !jsonEqual(definitions, this.#columns)) {
      this.#columns = definitions
      this.#printedHeaders = false
    }
    const rows = table.rows ?? []
    if (rows.length > 0) this.#printedHeaders = true
    this.#printRows(this.#columns, rows, headers, to)
  }

  #printRows(
    columns: readonly TableColumn[],
    rows: readonly TableRow[],
    headers: boolean,
    to: TabWriter,
  ): void {
    const { wide, withNamespace, showLabels, columnLabels, kind } = this.#options
    const shown = columns.map((column) => wide || !column.priority)
    const nameColumn = columns.findIndex((column) => column.format === "name" && column.type === "string")
    if (headers && rows.length > 0) {
      const names = columns.filter((_, i) => shown[i]).map((column) => column.name.toUpperCase())
      if (withNamespace) names.unshift("NAMESPACE")
      for (const label of columnLabels) names.push(label.split("/").at(-1)!.toUpperCase())
      if (showLabels) names.push("LABELS")
      to.write(`${names.join("\t")}\n`)
    }
    for (const row of rows) {
      const cells: string[] = []
      if (withNamespace) cells.push(row.object?.["metadata"]?.namespace ?? "")
      for (let i = 0; i < row.cells.length && i < columns.length; i++) {
        if (!shown[i]) continue
        let text = cellText(row.cells[i])
        if (kind && i === nameColumn) text = `${kindName(kind.kind, kind.group)}/${text}`
        cells.push(text)
      }
      const labels = (row.object?.["metadata"]?.labels ?? {}) as Record<string, string>
      for (const label of columnLabels) cells.push(labels[label] ?? "<none>")
      if (showLabels) cells.push(formatLabels(labels))
      to.write(`${cells.join("\t")}\n`)
    }
  }
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return ""
  if (typeof value !== "string") return String(value)
  const end = value.search(/[\f\n\r]/)
  return escapeTerminal(end < 0 ? value : `${value.slice(0, end)}...`)
}

/** Escape sequences must not reach the terminal. */
export function escapeTerminal(text: string): string {
  return text.replaceAll("\x1b", "^[").replaceAll("\r", "\\r")
}

/** `a=b,c=d`, sorted, or `<none>`. */
function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const keys = Object.keys(labels ?? {}).sort()
  return keys.length === 0 ? "<none>" : keys.map((key) => `${key}=${labels![key]}`).join(",")
}
