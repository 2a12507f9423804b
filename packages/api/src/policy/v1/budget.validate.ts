/** Validation of disruption budgets. Mirrors: pkg/apis/policy/validation/validation.go */
import { field, validateLabelSelector } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { notMoreThan100Percent, validateIntOrPercent } from "../../apps/v1/workload.validate.ts"
import { oneOfIfSet } from "../../checks.ts"
import { goValue } from "../../go-value.ts"
import type { PodDisruptionBudget } from "./types.gen.ts"

export function validateBudget({ spec }: Readonly<PodDisruptionBudget>): FieldError[] {
  const out: FieldError[] = []
  const { minAvailable, maxUnavailable } = spec
  const goSpec = goValue("policy.PodDisruptionBudgetSpec", spec)
  if (minAvailable !== undefined && maxUnavailable !== undefined)
    out.push(field.invalid("spec", goSpec, "minAvailable and maxUnavailable cannot be both set"))
  for (const [path, value] of [
    ["spec.minAvailable", minAvailable],
    ["spec.maxUnavailable", maxUnavailable],
  ] as const)
    out.push(...validateIntOrPercent(path, value), ...notMoreThan100Percent(path, value))
  return [
    ...out,
    ...validateLabelSelector(spec.selector, "spec.selector"),
    ...oneOfIfSet("spec.unhealthyPodEvictionPolicy", spec.unhealthyPodEvictionPolicy, [
      "AlwaysAllow",
      "IfHealthyBudget",
    ]),
  ]
}
