/**
 * What becomes of a wish for replicas: stabilization windows, policies, the least and the most. Pure but for the history,
 * which the wish is recorded in. Mirrors: pkg/controller/podautoscaler/horizontal.go (normalizeDesiredReplicas)
 */
import type { HPAScalingRules, HorizontalPodAutoscalerBehavior } from "@knarr/api"
import { changeSince, record, type ScalingHistory } from "./scaling-history.ts"

export interface Wish {
  readonly current: number
  readonly desired: number
  readonly min: number
  readonly max: number
  /** Recommendations of so long count against fewer replicas where the behavior says nothing. */
  readonly downscaleStabilizationMs: number
  readonly nowMs: number
}

export interface Said {
  readonly reason: string
  readonly message: string
}

export interface Limited {
  readonly replicas: number
  /** Of the condition AbleToScale. */
  readonly able: Said
  /** Of the condition ScalingLimited, and whether it is true. */
  readonly limited: Said & { readonly isLimited: boolean }
}

type Decided = Said & { readonly replicas: number }

const upStabilized: Said = {
  reason: "ScaleUpStabilized",
  message: "recent recommendations were lower than current one, applying the lowest recent recommendation",
}
const downStabilized: Said = {
  reason: "ScaleDownStabilized",
  message: "recent recommendations were higher than current one, applying the highest recent recommendation",
}
const notStabilized: Said = {
  reason: "ReadyForNewScale",
  message: "recommended size matches current size",
}
const withinRange: Said = {
  reason: "DesiredWithinRange",
  message: "the desired count is within the acceptable range",
}
const tooFew: Said = {
  reason: "TooFewReplicas",
  message: "the desired replica count is less than the minimum replica count",
}
const tooMany: Said = {
  reason: "TooManyReplicas",
  message: "the desired replica count is more than the maximum replica count",
}
const growsTooFast: Said = {
  reason: "ScaleUpLimit",
  message: "the desired replica count is increasing faster than the maximum scale rate",
}
const shrinksTooFast: Said = {
  reason: "ScaleDownLimit",
  message: "the desired replica count is decreasing faster than the maximum scale rate",
}

/** What is done of a wish, and why not all of it. */
export function limit(
  wish: Wish,
  history: ScalingHistory,
  behavior: Readonly<HorizontalPodAutoscalerBehavior> | undefined,
): Limited {
  const up = behavior?.scaleUp
  const down = behavior?.scaleDown
  const [stabilized, why] =
    up && down ? stabilizeBoth(wish, history, up, down) : [stabilizeDown(wish, history), downStabilized]
  const decided =
    up && down
      ? withPolicies({ ...wish, desired: stabilized }, history, up, down)
      : withoutPolicies({ ...wish, desired: stabilized })
  const { replicas, reason, message } = decided
  return {
    replicas,
    able: stabilized === wish.desired ? notStabilized : why,
    limited: { reason, message, isLimited: replicas !== stabilized },
  }
}

function stabilizeDown(wish: Wish, { recommendations }: ScalingHistory): number {
  const { desired, nowMs, downscaleStabilizationMs } = wish
  const cutoffMs = nowMs - downscaleStabilizationMs
  const recent = recommendations.filter(({ atMs }) => atMs >= cutoffMs)
  record(recommendations, { replicas: desired, atMs: nowMs }, ({ atMs }) => atMs < cutoffMs)
  return Math.max(desired, ...recent.map(({ replicas }) => replicas))
}

function stabilizeBoth(
  wish: Wish,
  { recommendations }: ScalingHistory,
  up: Readonly<HPAScalingRules>,
  down: Readonly<HPAScalingRules>,
): [number, Said] {
  const { current, desired, nowMs, downscaleStabilizationMs } = wish
  const upCutoffMs = nowMs - (up.stabilizationWindowSeconds ?? 0) * 1000
  const downCutoffMs =
    nowMs -
    (down.stabilizationWindowSeconds === undefined
      ? downscaleStabilizationMs
      : down.stabilizationWindowSeconds * 1000)
  let lowest = desired
  let highest = desired
  for (const { replicas, atMs } of recommendations) {
    if (atMs > upCutoffMs) lowest = Math.min(replicas, lowest)
    if (atMs > downCutoffMs) highest = Math.max(replicas, highest)
  }
  record(
    recommendations,
    { replicas: desired, atMs: nowMs },
    ({ atMs }) => atMs < upCutoffMs && atMs < downCutoffMs,
  )
  const stabilized = Math.min(Math.max(current, lowest), highest)
  return [stabilized, desired >= current ? upStabilized : downStabilized]
}

function withoutPolicies({ current, desired, min, max }: Wish): Decided {
  const fastest = Math.max(2 * current, 4)
  if (desired < min) return { replicas: min, ...tooFew }
  if (desired > Math.min(max, fastest))
    return max > fastest ? { replicas: fastest, ...growsTooFast } : { replicas: max, ...tooMany }
  return { replicas: desired, ...withinRange }
}

function withPolicies(
  wish: Wish,
  history: ScalingHistory,
  up: Readonly<HPAScalingRules>,
  down: Readonly<HPAScalingRules>,
): Decided {
  const { current, desired, min, max } = wish
  if (desired > current) {
    const fastest = Math.max(current, upLimit(current, history, up, wish.nowMs))
    const most = Math.min(max, fastest)
    if (desired > most) return { replicas: most, ...(max > fastest ? growsTooFast : tooMany) }
  } else if (desired < current) {
    const fastest = Math.min(current, downLimit(current, history, down, wish.nowMs))
    const least = Math.max(min, fastest)
    if (desired < least) return { replicas: least, ...(min < fastest ? shrinksTooFast : tooFew) }
  }
  return { replicas: desired, ...withinRange }
}

/** The most replicas that the policies let there be now. */
function upLimit(
  current: number,
  history: ScalingHistory,
  rules: Readonly<HPAScalingRules>,
  nowMs: number,
): number {
  if (rules.selectPolicy === "Disabled") return current
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const start = atStartOf(periodSeconds, current, history, nowMs)
    return type === "Pods" ? start + value : Math.ceil(start * (1 + value / 100))
  })
  return rules.selectPolicy === "Min" ? Math.min(...limits) : Math.max(...limits)
}

/** The fewest. */
function downLimit(
  current: number,
  history: ScalingHistory,
  rules: Readonly<HPAScalingRules>,
  nowMs: number,
): number {
  if (rules.selectPolicy === "Disabled") return current
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const start = atStartOf(periodSeconds, current, history, nowMs)
    return type === "Pods" ? start - value : Math.trunc(start * (1 - value / 100))
  })
  return rules.selectPolicy === "Min" ? Math.max(...limits) : Math.min(...limits)
}

function atStartOf(seconds: number, current: number, { ups, downs }: ScalingHistory, nowMs: number): number {
  return current - changeSince(ups, seconds, nowMs) + changeSince(downs, seconds, nowMs)
}
