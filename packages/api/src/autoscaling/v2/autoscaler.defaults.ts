/** Defaults of autoscalers. Mirrors: pkg/apis/autoscaling/v2/defaults.go */
import type { HPAScalingRules, HorizontalPodAutoscaler } from "./types.gen.ts"

export function setAutoscalerDefaults({ spec }: HorizontalPodAutoscaler): void {
  spec.minReplicas ??= 1
  if (!spec.metrics?.length) {
    spec.metrics = [
      {
        type: "Resource",
        resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } },
      },
    ]
  }
  if (spec.behavior) {
    spec.behavior.scaleUp = rulesOf(spec.behavior.scaleUp, {
      stabilizationWindowSeconds: 0,
      selectPolicy: "Max",
      policies: [
        { type: "Pods", value: 4, periodSeconds: 15 },
        { type: "Percent", value: 100, periodSeconds: 15 },
      ],
    })
    spec.behavior.scaleDown = rulesOf(spec.behavior.scaleDown, {
      selectPolicy: "Max",
      policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
    })
  }
}

function rulesOf(given: HPAScalingRules | undefined, defaults: HPAScalingRules): HPAScalingRules {
  const out: HPAScalingRules = { ...defaults }
  if (!given) return out
  if (given.selectPolicy !== undefined) out.selectPolicy = given.selectPolicy
  if (given.stabilizationWindowSeconds !== undefined)
    out.stabilizationWindowSeconds = given.stabilizationWindowSeconds
  if (given.policies !== undefined) out.policies = given.policies
  if (given.tolerance !== undefined) out.tolerance = given.tolerance
  return out
}
