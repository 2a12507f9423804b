/** Which pods go first when there are too many. Mirrors: pkg/controller/controller_utils.go (ActivePodsWithRanks) */
import type { Pod } from "@knarr/api"
import { tableOf } from "@knarr/base"
import { isPodReady, podCondition } from "./pod-state.ts"

const phaseOrder: Readonly<Record<string, number>> = tableOf({ Pending: 0, Unknown: 1, Running: 2 })
const costAnnotation = "controller.kubernetes.io/pod-deletion-cost"

/**
 * The `count` pods to delete, worst first. `rank` tells how many related pods share a pod's node: doubled-up
 * pods go before lone ones.
 */
export function podsToDelete(
  pods: readonly Pod[],
  count: number,
  rank: (pod: Pod) => number,
  nowMs: number,
): Pod[] {
  if (count >= pods.length) return [...pods]
  return [...pods].sort((a, b) => comparePods(a, b, rank, nowMs)).slice(0, count)
}

function comparePods(a: Pod, b: Pod, rank: (pod: Pod) => number, nowMs: number): number {
  const bound = Number(Boolean(a.spec.nodeName)) - Number(Boolean(b.spec.nodeName))
  if (bound !== 0) return bound
  const phase = (phaseOrder[a.status?.phase ?? ""] ?? 0) - (phaseOrder[b.status?.phase ?? ""] ?? 0)
  if (phase !== 0) return phase
  const ready = Number(isPodReady(a)) - Number(isPodReady(b))
  if (ready !== 0) return ready
  const cost = deletionCost(a) - deletionCost(b)
  if (cost !== 0) return cost
  if (a.spec.nodeName && b.spec.nodeName) {
    const doubled = rank(b) - rank(a)
    if (doubled !== 0) return doubled
  }
  if (isPodReady(a) && isPodReady(b)) {
    const readyTime = compareAges(
      podCondition(a, "Ready")?.lastTransitionTime,
      podCondition(b, "Ready")?.lastTransitionTime,
      nowMs,
    )
    if (readyTime !== 0) return readyTime
    if (podCondition(a, "Ready")?.lastTransitionTime !== podCondition(b, "Ready")?.lastTransitionTime)
      return byUid(a, b)
  }
  const restarts = compareRestarts(a, b)
  if (restarts !== 0) return restarts
  const created = compareAges(a.metadata.creationTimestamp, b.metadata.creationTimestamp, nowMs)
  return created !== 0 ? created : byUid(a, b)
}

/** Younger before older, where ages of the same power of two are equal (the choice is then random, by UID). */
function compareAges(a: string | undefined, b: string | undefined, nowMs: number): number {
  if (a === b) return 0
  // No time at all counts as the youngest.
  if (!a) return -1
  if (!b) return 1
  return logAge(a, nowMs) - logAge(b, nowMs)
}

function logAge(time: string, nowMs: number): number {
  const ageMs = nowMs - Date.parse(time)
  return ageMs <= 0 ? -1 : Math.floor(Math.log2(ageMs * 1e6))
}

function byUid(a: Pod, b: Pod): number {
  return a.metadata.uid < b.metadata.uid ? -1 : a.metadata.uid > b.metadata.uid ? 1 : 0
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[costAnnotation]
  return text !== undefined && /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : 0
}

function compareRestarts(a: Pod, b: Pod): number {
  const [aContainers, aSidecars] = restartCounts(a)
  const [bContainers, bSidecars] = restartCounts(b)
  return aContainers !== bContainers ? bContainers - aContainers : bSidecars - aSidecars
}

function restartCounts(pod: Pod): [number, number] {
  const containers = Math.max(
    0,
    ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount ?? 0),
  )
  const sidecars = new Set(
    (pod.spec.initContainers ?? []).filter((c) => c.restartPolicy === "Always").map((c) => c.name),
  )
  const statuses = (pod.status?.initContainerStatuses ?? []).filter((status) => sidecars.has(status.name))
  return [containers, Math.max(0, ...statuses.map((status) => status.restartCount ?? 0))]
}
