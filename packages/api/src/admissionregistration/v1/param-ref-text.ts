/** The ParamRef column of policy bindings. Mirrors: pkg/printers/internalversion/printers.go */
import type { LabelSelector } from "@knarr/apimachinery"
import type { ParamRef } from "./types.gen.ts"

/** `namespace/name`, `*` for the namespace when none is stated, or the selector as Go prints the struct. */
export function paramRefText(ref: ParamRef | undefined): string {
  if (!ref) return "<unset>"
  if (ref.name) return `${ref.namespace || "*"}/${ref.name}`
  return ref.selector ? goText(ref.selector) : "nil"
}

function goText({ matchLabels, matchExpressions }: LabelSelector): string {
  const labels = Object.keys(matchLabels ?? {})
    .sort()
    .map((key) => `${key}: ${matchLabels![key]},`)
    .join("")
  const expressions = (matchExpressions ?? [])
    .map(
      ({ key, operator, values }) =>
        `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${(values ?? []).join(" ")}],},`,
    )
    .join("")
  return `&LabelSelector{MatchLabels:map[string]string{${labels}},MatchExpressions:[]LabelSelectorRequirement{${expressions}},}`
}
