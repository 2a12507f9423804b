/** Which pods use a claim. Mirrors: pkg/controller/volume/common/common.go, pkg/volume/util/util.go (IsPodTerminated) */
import type { ContainerStatus, Pod } from "@knarr/api"
import { isPodTerminal, podVolumeClaims } from "@knarr/pod-rules"

/** Name of the index of pods by the claims that they use: `<namespace>/<claim>`. */
export const claimIndex = "claims"

export function claimKeysOf(pod: Readonly<Pod>): string[] {
  return [...podVolumeClaims(pod)].map((name) => `${pod.metadata.namespace}/${name}`)
}

/** Whether the pod uses no volume any more: it has ended, or is being deleted and none of its containers runs. */
export function hasStopped(pod: Readonly<Pod>): boolean {
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
