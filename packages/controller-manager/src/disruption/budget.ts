/** How many pods a disruption budget lets go. Pure. Mirrors: pkg/controller/disruption/disruption.go */
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from "@knarr/api"
import { formatTime, scaledValueFromIntOrPercent, setCondition } from "@knarr/apimachinery"
import { isPodReady } from "../workload/pod-state.ts"

/** An eviction that was granted counts as under way for so long. */
const disruptionTimeoutMs = 120_000

export interface Counts {
  readonly expected: number
  readonly desired: number
}

/** Pods that there should be, and that have to be healthy. `expectedScale`: the sum of the controllers' replicas. */
export function countsFor(pdb: PodDisruptionBudget, podCount: number, expectedScale: () => number): Counts {
  const { maxUnavailable, minAvailable } = pdb.spec
  if (maxUnavailable !== undefined) {
    const expected = expectedScale()
    return {
      expected,
      desired: Math.max(0, expected - scaledValueFromIntOrPercent(maxUnavailable, expected, true)),
    }
  }
  if (minAvailable === undefined) return { expected: podCount, desired: podCount }
  if (typeof minAvailable === "number") return { expected: podCount, desired: minAvailable }
  const expected = expectedScale()
  return { expected, desired: scaledValueFromIntOrPercent(minAvailable, expected, true) }
}

/** Granted evictions whose pods are still there and not yet being deleted; also when to look again. */
export function pendingDisruptions(
  pdb: PodDisruptionBudget,
  pods: readonly Pod[],
  nowMs: number,
): { disrupted: Record<string, string>; recheckMs: number | undefined; expired: Pod[] } {
  const disrupted: Record<string, string> = {}
  const expired: Pod[] = []
  let recheckMs: number | undefined
  for (const pod of pods) {
    const since = pdb.status?.disruptedPods?.[pod.metadata.name]
    if (since === undefined || pod.metadata.deletionTimestamp) continue
    const leftMs = Date.parse(since) + disruptionTimeoutMs - nowMs
    if (leftMs < 0) expired.push(pod)
    else {
      disrupted[pod.metadata.name] = since
      recheckMs = Math.min(recheckMs ?? Infinity, leftMs + 1)
    }
  }
  return { disrupted, recheckMs, expired }
}

export function healthyPods(pods: readonly Pod[], disrupted: Readonly<Record<string, string>>): number {
  return pods.filter(
    (pod) =>
      !pod.metadata.deletionTimestamp && !Object.hasOwn(disrupted, pod.metadata.name) && isPodReady(pod),
  ).length
}

export function budgetStatus(
  pdb: PodDisruptionBudget,
  { expected, desired }: Counts,
  healthy: number,
  disrupted: Record<string, string>,
  nowMs: number,
): PodDisruptionBudgetStatus {
  const disruptionsAllowed = expected <= 0 ? 0 : Math.max(0, healthy - desired)
  const status: PodDisruptionBudgetStatus = {
    observedGeneration: pdb.metadata.generation,
    currentHealthy: healthy,
    desiredHealthy: desired,
    expectedPods: expected,
    disruptionsAllowed,
    conditions: (pdb.status?.conditions ?? []).map((condition) => ({ ...condition })),
  }
  if (Object.keys(disrupted).length > 0) status.disruptedPods = disrupted
  const condition = {
    type: "DisruptionAllowed",
    status: disruptionsAllowed > 0 ? "True" : "False",
    reason: disruptionsAllowed > 0 ? "SufficientPods" : "InsufficientPods",
    message: "",
    ...(pdb.metadata.generation === undefined ? {} : { observedGeneration: pdb.metadata.generation }),
  }
  setCondition(status.conditions!, condition, formatTime(nowMs))
  return status
}
