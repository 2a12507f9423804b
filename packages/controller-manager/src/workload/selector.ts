/** Label selectors as predicates. */
import { selectorFrom, type LabelSelector } from "@knarr/apimachinery"

export type Labels = Readonly<Record<string, string>>
export type Matches = (labels: Labels | undefined) => boolean

/** Whether labels match a `LabelSelector`; absent selects nothing, empty everything. */
export function matcher(selector: Readonly<LabelSelector> | undefined): Matches {
  const compiled = selectorFrom(selector)
  return (labels) => compiled.matches(labels)
}

/** Whether labels hold every pair of `set`; an empty or absent set matches nothing. */
export function setMatcher(set: Labels | undefined): Matches {
  const wanted = Object.entries(set ?? {})
  if (wanted.length === 0) return () => false
  return (labels) => wanted.every(([name, value]) => labels?.[name] === value)
}

/** True when a selector has neither labels nor expressions. */
export function isEmptySelector(selector: Readonly<LabelSelector> | undefined): boolean {
  return (
    Object.keys(selector?.matchLabels ?? {}).length === 0 && (selector?.matchExpressions?.length ?? 0) === 0
  )
}
