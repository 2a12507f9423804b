/** Defaults of limit ranges. Mirrors: pkg/apis/core/v1/defaults.go (SetDefaults_LimitRangeItem) */
import { roundUpResources } from "./quantities.defaults.ts"
import type { LimitRange } from "./types.gen.ts"

export function setLimitRangeDefaults({ spec }: LimitRange): void {
  for (const item of spec?.limits ?? []) {
    for (const list of [item.max, item.min, item.default, item.defaultRequest, item.maxLimitRequestRatio])
      roundUpResources(list)
    if (item.type !== "Container") continue
    const limits = { ...item.max, ...item.default }
    const requests = { ...item.min, ...limits, ...item.defaultRequest }
    if (Object.keys(limits).length > 0) item.default = limits
    if (Object.keys(requests).length > 0) item.defaultRequest = requests
  }
}
