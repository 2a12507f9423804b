/** A gauge of how many things there are of each kind, counted when somebody asks. */
import type { Meter, MetricOptions } from "@knarr/base"

/** `rows`: the labels' values of each thing. Disposing the answer takes its part of the metric away. */
export function countRows(
  meter: Meter,
  options: MetricOptions,
  rows: () => Iterable<readonly string[]>,
): Disposable {
  return meter.collect("gauge", options, () => {
    const counts = new Map<string, { readonly row: readonly string[]; count: number }>()
    for (const row of rows()) {
      const key = row.join("\0")
      const known = counts.get(key)
      if (known) known.count++
      else counts.set(key, { row, count: 1 })
    }
    return [...counts.values()].map(({ row, count }) => [row, count] as const)
  })
}
