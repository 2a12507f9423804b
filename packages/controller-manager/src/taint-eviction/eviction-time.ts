/** When a pod has to leave a tainted node. Pure. Mirrors: pkg/controller/tainteviction */
import type { Pod, Taint } from "@knarr/api"
import { matchingTolerations } from "../workload/tolerations.ts"

/** Milliseconds that the pod may stay: 0 means now, Infinity for ever. */
export function stayMs(pod: Pod, taints: readonly Taint[]): number {
  const executing = taints.filter((taint) => taint.effect === "NoExecute")
  if (executing.length === 0) return Infinity
  const used = matchingTolerations(executing, pod.spec.tolerations ?? [])
  if (!used) return 0
  let least = Infinity
  for (const { tolerationSeconds } of used) {
    if (tolerationSeconds !== undefined) least = Math.min(least, Math.max(0, tolerationSeconds) * 1000)
  }
  return least
}
