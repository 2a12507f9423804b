/** Tells updates of a pod that ask for something from those that repeat what the node said itself. */
import type { Pod } from "@knarr/api"
import { deepEqual } from "@knarr/apimachinery"

/** Whether the update is about more than what the node itself says of the pod. */
export function isWantedAnew(before: Readonly<Pod>, pod: Readonly<Pod>): boolean {
  const { labels, annotations, deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata
  return (
    deletionTimestamp !== before.metadata.deletionTimestamp ||
    deletionGracePeriodSeconds !== before.metadata.deletionGracePeriodSeconds ||
    !deepEqual(pod.spec, before.spec) ||
    !deepEqual(labels, before.metadata.labels) ||
    !deepEqual(annotations, before.metadata.annotations) ||
    (pod.spec.readinessGates !== undefined && !deepEqual(pod.status.conditions, before.status.conditions))
  )
}
