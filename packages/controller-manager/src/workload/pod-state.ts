/** Questions about a pod's state. Mirrors: pkg/api/v1/pod/util.go, pkg/controller/controller_utils.go, pkg/volume/util/util.go */
import type { ContainerStatus, Pod, PodCondition } from "@knarr/api"

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type)
}

export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, "Ready")?.status === "True"
}

/** Succeeded or Failed: no container will run again. */
export function isPodTerminal(pod: Pod): boolean {
  const phase = pod.status?.phase
  return phase === "Succeeded" || phase === "Failed"
}

/** Neither ended nor being deleted. */
export function isPodActive(pod: Pod): boolean {
  return !isPodTerminal(pod) && !pod.metadata.deletionTimestamp
}

/** Being deleted and not yet ended. */
export function isPodTerminating(pod: Pod): boolean {
  return !isPodTerminal(pod) && Boolean(pod.metadata.deletionTimestamp)
}

/** When the pod became ready, in ms; undefined when it is not ready. */
function readySinceMs(pod: Pod): number | undefined {
  const ready = podCondition(pod, "Ready")
  if (ready?.status !== "True") return undefined
  return ready.lastTransitionTime ? Date.parse(ready.lastTransitionTime) : 0
}

/** Ready for at least `minReadySeconds`. */
export function isPodAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const since = readySinceMs(pod)
  if (since === undefined) return false
  if (minReadySeconds === 0) return true
  return since !== 0 && since + minReadySeconds * 1000 <= nowMs
}

/**
 * Milliseconds until the next of the ready pods becomes available by time alone; undefined when none will.
 */
export function nextAvailableMs(
  pods: readonly Pod[],
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  if (minReadySeconds === 0) return undefined
  let least: number | undefined
  for (const pod of pods) {
    const since = readySinceMs(pod)
    if (!since) continue
    const left = since + minReadySeconds * 1000 - nowMs
    if (left > 0 && (least === undefined || left < least)) least = left
  }
  return least
}

/** Whether the pod uses no volume any more: it has ended, or is being deleted and none of its containers runs. */
export function hasLetGoOfVolumes(pod: Readonly<Pod>): boolean {
  if (isPodTerminal(pod)) return true
  if (!pod.metadata.deletionTimestamp) return false
  const { initContainerStatuses, containerStatuses, ephemeralContainerStatuses } = pod.status
  return [initContainerStatuses, containerStatuses, ephemeralContainerStatuses].every(
    (statuses) => !statuses?.some(isRunning),
  )
}

function isRunning({ state }: ContainerStatus): boolean {
  return !state?.terminated && !state?.waiting
}
