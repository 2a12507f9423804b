/** Text tables and verdicts. */

/** Aligns columns; the first is text, the others are figures. A row of one cell is a heading. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((cell, at) =>
    Math.max(cell.length, ...rows.map((row) => (row.length > 1 ? (row[at]?.length ?? 0) : 0))),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[at]!)))
      .join("  ")
      .trimEnd()
  return (
    [line(header), widths.map((width) => "─".repeat(width)).join("──"), ...rows.map(line)].join("\n") + "\n"
  )
}

/** Three significant digits at most, thousands separated. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "–"
  if (value >= 100) return Math.round(value).toLocaleString("en-US")
  if (value >= 10) return value.toFixed(1)
  return value.toFixed(value >= 1 ? 2 : 3)
}

/** "2.00×" */
export function ratio(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? "–" : `${figure(value)}×`
}

export function bound(goal: { readonly atLeast?: number; readonly atMost?: number }): string {
  return goal.atLeast === undefined ? `≤ ${figure(goal.atMost)}` : `≥ ${figure(goal.atLeast)}`
}

/** Undefined when there is nothing to judge. */
export function isMet(
  goal: { readonly atLeast?: number; readonly atMost?: number },
  value: number | undefined,
): boolean | undefined {
  if (value === undefined || !Number.isFinite(value)) return undefined
  return goal.atLeast === undefined ? value <= goal.atMost! : value >= goal.atLeast
}

export function verdict(met: boolean | undefined): string {
  return met === undefined ? "?" : met ? "met" : "MISSED"
}

export function percentile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
