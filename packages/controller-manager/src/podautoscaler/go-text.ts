/** Values as Go prints them with `%+v`. Mirrors: apimachinery meta/v1/generated.pb.go (LabelSelector.String) */
import type { LabelSelector } from "@knarr/apimachinery"

export function labelSelectorText(selector: Readonly<LabelSelector> | undefined): string {
  if (!selector) return "nil"
  const labels = Object.keys(selector.matchLabels ?? {})
    .sort()
    .map((key) => `${key}: ${selector.matchLabels![key]},`)
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(" ")}],},`,
  )
  return (
    `&LabelSelector{MatchLabels:map[string]string{${labels.join("")}},` +
    `MatchExpressions:[]LabelSelectorRequirement{${expressions.join("")}},}`
  )
}
