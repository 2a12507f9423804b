/** Sets a condition of a pod as the API server does. Mirrors: pkg/api/pod UpdatePodCondition */
import type { Pod, PodCondition } from "@knarr/api"

/** `now` is when the status of the condition changes, if it does. */
export function setPodCondition(
  pod: Pod,
  wanted: { type: string; status: string; reason?: string; message?: string },
  now: string,
): void {
  const condition = { ...wanted, lastProbeTime: null, lastTransitionTime: now } as unknown as PodCondition
  const status = (pod.status ??= {} as Pod["status"])
  const conditions = (status.conditions ??= [])
  const at = conditions.findIndex((other) => other.type === wanted.type)
  if (at < 0) {
    conditions.push(condition)
    return
  }
  const old = conditions[at]!
  if (old.status === wanted.status) condition.lastTransitionTime = old.lastTransitionTime
  conditions[at] = condition
}
