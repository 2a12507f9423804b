/**
 * What an autoscaler recommended and did of late: what its stabilization windows and policies are about.
 * Mirrors: pkg/controller/podautoscaler/horizontal.go (recommendations, scaleUpEvents, scaleDownEvents)
 */
import type { HPAScalingRules } from "@knarr/api"

interface Timed {
  readonly atMs: number
}

export interface Recommendation extends Timed {
  readonly replicas: number
}

/** By how many replicas. */
export interface ScaleEvent extends Timed {
  readonly change: number
}

/** Of one autoscaler. What is too old to count is overwritten: a window bounds how much there is. */
export interface ScalingHistory {
  readonly recommendations: Recommendation[]
  readonly ups: ScaleEvent[]
  readonly downs: ScaleEvent[]
}

export function createScalingHistory(currentReplicas: number, nowMs: number): ScalingHistory {
  return { recommendations: [{ replicas: currentReplicas, atMs: nowMs }], ups: [], downs: [] }
}

/** Puts one in the place of the last that `isOld`, or at the end. */
export function record<T extends Timed>(list: T[], one: T, isOld: (other: T) => boolean): void {
  const at = list.findLastIndex(isOld)
  if (at < 0) list.push(one)
  else list[at] = one
}

/** Remembers a change of replicas for the policies of `rules`. */
export function recordChange(
  events: ScaleEvent[],
  change: number,
  rules: Readonly<HPAScalingRules>,
  nowMs: number,
): void {
  const longest = Math.max(0, ...(rules.policies ?? []).map(({ periodSeconds }) => periodSeconds))
  record(events, { change, atMs: nowMs }, ({ atMs }) => atMs < nowMs - longest * 1000)
}

/** By how many replicas there was a change in the last `seconds`. */
export function changeSince(events: readonly ScaleEvent[], seconds: number, nowMs: number): number {
  return events.reduce((sum, { change, atMs }) => (atMs > nowMs - seconds * 1000 ? sum + change : sum), 0)
}
