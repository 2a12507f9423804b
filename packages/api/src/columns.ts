/** Building blocks of printed columns. Mirrors: pkg/printers/internalversion/printers.go */
import { humanDuration, parseTime } from "@knarr/apimachinery"
import type { Column, KubeObject, LabelSelector } from "@knarr/apimachinery"

type Cell = string | number | boolean | null

/** A column whose cells are printed as text. */
export function text<T>(name: string, read: (obj: T, nowMs: number) => Cell, priority = 0): Column<T> {
  return { name, type: "string", priority, read }
}

/** A text column that only `-o wide` shows. */
export function wide<T>(name: string, read: (obj: T, nowMs: number) => Cell): Column<T> {
  return text(name, read, 1)
}

/** A column of whole numbers. */
export function integer<T>(name: string, read: (obj: T, nowMs: number) => Cell): Column<T> {
  return { name, type: "integer", priority: 0, read }
}

/** A column of truth values. */
export function boolean<T>(name: string, read: (obj: T, nowMs: number) => Cell): Column<T> {
  return { name, type: "boolean", priority: 0, read }
}

/** Time since creation. */
export const age: Column<KubeObject> = text("Age", (obj, nowMs) =>
  since(obj.metadata.creationTimestamp, nowMs),
)

/**
 * The Name column, for kinds whose name is not the plain first column: a list of columns that holds one named
 * `Name` is complete, and no other Name column is put before it.
 */
export function nameColumn<T extends KubeObject>(
  read: (obj: T) => string = (obj) => obj.metadata.name,
  priority = 0,
  format = "name",
): Column<T> {
  return { name: "Name", type: "string", format, priority, read }
}

/** Time since `timestamp` as people read it, or `<unknown>`. */
export function since(timestamp: string | undefined, nowMs: number): string {
  if (!timestamp) return "<unknown>"
  return humanDuration(nowMs - parseTime(timestamp))
}

/** `a=b,c=d`, or `<none>`. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.keys(labels ?? {})
    .sort()
    .map((key) => `${key}=${labels![key]}`)
  return pairs.length > 0 ? pairs.join(",") : "<none>"
}

/** A label selector as text, requirements by key: `a=b,c in (x,y),!d`; "" when it selects everything. */
export function selectorText(selector: LabelSelector | undefined): string {
  const parts: [key: string, text: string][] = Object.entries(selector?.matchLabels ?? {}).map(
    ([key, value]) => [key, `${key}=${value}`],
  )
  for (const { key, operator, values } of selector?.matchExpressions ?? []) {
    const list = `(${[...(values ?? [])].sort().join(",")})`
    if (operator === "In") parts.push([key, `${key} in ${list}`])
    else if (operator === "NotIn") parts.push([key, `${key} notin ${list}`])
    else parts.push([key, operator === "DoesNotExist" ? `!${key}` : key])
  }
  parts.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))
  return parts.map((part) => part[1]).join(",")
}

/** As {@link selectorText}, with `<none>` for a selector of everything. */
export function selectorOrNone(selector: LabelSelector | undefined): string {
  return selectorText(selector) || "<none>"
}

interface WithContainers {
  readonly containers?: readonly { readonly name?: string; readonly image?: string | undefined }[] | undefined
}

/** The names of a pod spec's containers. */
export function containerNames(spec: WithContainers | undefined): string {
  return (spec?.containers ?? []).map((container) => container.name ?? "").join(",")
}

/** The images of a pod spec's containers. */
export function containerImages(spec: WithContainers | undefined): string {
  return (spec?.containers ?? []).map((container) => container.image ?? "").join(",")
}

/** At most `max` of `items`, and how many more there are; `<unset>` for none. */
export function listWithMore(items: readonly string[], max = 3): string {
  const shown = items.slice(0, max).join(",")
  if (items.length > max) return `${shown} + ${items.length - max} more...`
  return shown || "<unset>"
}

/** Access modes in their short form, each once, in their usual order: `RWO,ROX`. */
export function accessModesText(modes: readonly string[] | undefined): string {
  return shortModes
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(",")
}

const shortModes: readonly (readonly [string, string])[] = [
  ["ReadWriteOnce", "RWO"],
  ["ReadOnlyMany", "ROX"],
  ["ReadWriteMany", "RWX"],
  ["ReadWriteOncePod", "RWOP"],
]
