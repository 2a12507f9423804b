/** The status of a replica controller. Mirrors: pkg/controller/replicaset/replica_set_utils.go */
import type { Pod, ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { isPodAvailable, isPodReady } from "../workload/pod-state.ts"
import { withoutZeros } from "../workload/without-zeros.ts"

export interface ManageOutcome {
  /** Why pods could not be created or deleted. */
  readonly error?: unknown
  /** Replicas wanted minus pods that were there. */
  readonly missing: number
}

export interface StatusInput {
  readonly owner: ReplicaSet
  /** Those that have not ended and are not being deleted. */
  readonly activePods: readonly Pod[]
  readonly terminatingPods: readonly Pod[] | undefined
  readonly outcome: ManageOutcome
  readonly nowMs: number
}

/** What the status is to be. */
export function replicaStatus({
  owner,
  activePods,
  terminatingPods,
  outcome,
  nowMs,
}: StatusInput): ReplicaSetStatus {
  const templateLabels = Object.entries(owner.spec.template.metadata?.labels ?? {})
  const minReadySeconds = owner.spec.minReadySeconds ?? 0
  let fullyLabeled = 0
  let ready = 0
  let available = 0
  for (const pod of activePods) {
    if (templateLabels.every(([name, value]) => pod.metadata.labels?.[name] === value)) fullyLabeled++
    if (!isPodReady(pod)) continue
    ready++
    if (isPodAvailable(pod, minReadySeconds, nowMs)) available++
  }
  const status: ReplicaSetStatus = {
    ...owner.status,
    replicas: activePods.length,
    fullyLabeledReplicas: fullyLabeled,
    readyReplicas: ready,
    availableReplicas: available,
    observedGeneration: owner.metadata.generation,
  }
  if (terminatingPods) status.terminatingReplicas = terminatingPods.length
  const conditions = failureConditions(owner.status?.conditions ?? [], outcome, nowMs)
  if (conditions.length > 0) status.conditions = conditions
  else delete status.conditions
  return withoutZeros(status, ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"])
}

function failureConditions(
  present: readonly ReplicaSetCondition[],
  outcome: ManageOutcome,
  nowMs: number,
): ReplicaSetCondition[] {
  const failed = outcome.error !== undefined
  const had = present.some((condition) => condition.type === "ReplicaFailure")
  if (failed === had) return [...present]
  const others = present.filter((condition) => condition.type !== "ReplicaFailure")
  if (!failed) return others
  return [
    ...others,
    {
      type: "ReplicaFailure",
      status: "True",
      reason: outcome.missing >= 0 ? "FailedCreate" : "FailedDelete",
      message: messageOf(outcome.error),
      lastTransitionTime: formatTime(nowMs),
    },
  ]
}
