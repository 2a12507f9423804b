/**
 * A pod's status after the readiness of one of its containers has changed.
 * Mirrors: pkg/kubelet/status/status_manager.go (SetContainerReadiness)
 */
import type { Pod, PodCondition, PodStatus } from "@knarr/api"
import { isSidecar } from "@knarr/pod-rules"

/** Undefined: nothing changes. Pods that have ended stay as they are. */
export function withContainerReadiness(
  pod: Readonly<Pod>,
  status: Readonly<PodStatus>,
  container: string,
  ready: boolean,
): PodStatus | undefined {
  if (status.phase === "Succeeded" || status.phase === "Failed") return undefined
  let changed = false
  const mark = (statuses: PodStatus["containerStatuses"]): PodStatus["containerStatuses"] =>
    statuses?.map((one) => {
      if (one.name !== container || one.ready === ready || !one.state?.running) return one
      changed = true
      return { ...one, ready }
    })
  const next: PodStatus = { ...status }
  if (status.containerStatuses) next.containerStatuses = mark(status.containerStatuses)
  if (status.initContainerStatuses) next.initContainerStatuses = mark(status.initContainerStatuses)
  if (!changed) return undefined
  const lasting = [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers]
  const all = [...(next.initContainerStatuses ?? []), ...(next.containerStatuses ?? [])]
  const unready = lasting
    .map(({ name }) => name)
    .filter((name) => !all.find((one) => one.name === name)?.ready)
  next.conditions = status.conditions?.map((condition): PodCondition => {
    // Readiness gates are decided when this is merged.
    if (condition.type !== "Ready" && condition.type !== "ContainersReady") return condition
    const { reason: _, message: __, ...rest } = condition
    if (unready.length === 0) return { ...rest, status: "True" }
    const message = `containers with unready status: [${unready.join(" ")}]`
    return { ...rest, status: "False", reason: "ContainersNotReady", message }
  })
  return next
}
