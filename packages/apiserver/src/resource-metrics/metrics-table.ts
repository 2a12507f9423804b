/** How use is printed. Mirrors: metrics-server pkg/api/table.go */
import { formatGoDuration, parseGoDuration, parseQuantity, type Quantity } from "@knarr/apimachinery"
import type { HostedTable } from "../aggregator/hosted.ts"
import type { NodeMetrics, PodMetrics } from "./metrics-objects.ts"

type Used = Readonly<Record<string, string>>

/** One row for each; the columns are those of the first. */
export function metricsTable(items: readonly (NodeMetrics | PodMetrics)[]): HostedTable {
  const [first] = items
  if (!first) return { columnDefinitions: null, cells: [] }
  const names = Object.keys(usageOf(first)).sort()
  const column = (name: string, format: string, description = ""): object => ({
    name,
    type: "string",
    format,
    description,
    priority: 0,
  })
  return {
    columnDefinitions: [
      column("Name", "name", "Name of the resource"),
      ...names.map((name) => column(name, "quantity")),
      column("Window", "duration"),
    ],
    cells: items.map((item) => {
      const used = usageOf(item)
      return [
        item.metadata.name,
        ...names.map((name) => used[name] ?? "0"),
        formatGoDuration(parseGoDuration(item.window)),
      ]
    }),
  }
}

function usageOf(item: NodeMetrics | PodMetrics): Used {
  if ("usage" in item) return item.usage
  const sums = new Map<string, Quantity>()
  for (const { usage } of item.containers)
    for (const [name, text] of Object.entries(usage)) {
      const amount = parseQuantity(text)
      sums.set(name, sums.get(name)?.add(amount) ?? amount)
    }
  return Object.fromEntries([...sums].map(([name, amount]) => [name, amount.toString()]))
}
