/** The conditions and the status of a deployment. Pure. Mirrors: pkg/controller/deployment/progress.go, sync.go */
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import {
  actualReplicas,
  availableReplicas,
  maxUnavailable,
  replicasOf,
  specReplicas,
  sum,
} from "./arithmetic.ts"
import { withoutZeros } from "../workload/without-zeros.ts"

export type Condition = DeploymentCondition

export function conditionOf(
  status: Readonly<DeploymentStatus> | undefined,
  type: string,
): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type)
}

export function newCondition(
  type: string,
  status: string,
  reason: string,
  message: string,
  nowMs: number,
): Condition {
  const now = formatTime(nowMs)
  return { type, status, reason, message, lastUpdateTime: now, lastTransitionTime: now }
}

/** `conditions` with `condition`: unchanged when status and reason are the same, else replaced and moved to the end. */
export function withCondition(conditions: readonly Condition[], condition: Condition): Condition[] {
  const present = conditions.find((one) => one.type === condition.type)
  if (present && present.status === condition.status && present.reason === condition.reason)
    return [...conditions]
  const next = { ...condition }
  if (present && present.status === condition.status) next.lastTransitionTime = present.lastTransitionTime
  return [...withoutCondition(conditions, condition.type!), next]
}

function withoutCondition(conditions: readonly Condition[], type: string): Condition[] {
  return conditions.filter((condition) => condition.type !== type)
}

/** Seconds; the largest number means that there is no deadline. */
export function hasProgressDeadline(d: Deployment): boolean {
  return d.spec.progressDeadlineSeconds !== undefined && d.spec.progressDeadlineSeconds !== 2147483647
}

export function calculateStatus(
  d: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const available = availableReplicas(all)
  const enough = available >= replicasOf(d) - maxUnavailable(d)
  const condition = enough
    ? newCondition(
        "Available",
        "True",
        "MinimumReplicasAvailable",
        "Deployment has minimum availability.",
        nowMs,
      )
    : newCondition(
        "Available",
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
        nowMs,
      )
  const status: DeploymentStatus = {
    observedGeneration: d.metadata.generation,
    replicas: actualReplicas(all),
    updatedReplicas: newSet ? actualReplicas([newSet]) : 0,
    readyReplicas: sum(all, (rs) => rs.status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, specReplicas(all) - available),
    terminatingReplicas: sum(all, (rs) => rs.status?.terminatingReplicas ?? 0),
    conditions: withCondition(d.status?.conditions ?? [], condition),
  }
  if (d.status?.collisionCount !== undefined) status.collisionCount = d.status.collisionCount
  return withoutZeros(status, [
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
  ])
}

export function isComplete(d: Deployment, status: DeploymentStatus): boolean {
  const wanted = replicasOf(d)
  return (
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (d.metadata.generation ?? 0)
  )
}

function isProgressing(d: Deployment, status: DeploymentStatus): boolean {
  const before = d.status ?? {}
  const oldBefore = (before.replicas ?? 0) - (before.updatedReplicas ?? 0)
  const oldNow = (status.replicas ?? 0) - (status.updatedReplicas ?? 0)
  return (
    (status.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    oldNow < oldBefore ||
    (status.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  )
}

function hasTimedOut(d: Deployment, status: DeploymentStatus, nowMs: number): boolean {
  if (!hasProgressDeadline(d)) return false
  const condition = conditionOf(status, "Progressing")
  if (!condition || condition.reason === "NewReplicaSetAvailable") return false
  if (condition.reason === "ProgressDeadlineExceeded") return true
  return Date.parse(condition.lastUpdateTime ?? "") + d.spec.progressDeadlineSeconds! * 1000 < nowMs
}

/** The status with the Progressing and ReplicaFailure conditions of a rollout. */
export function rolloutStatus(
  d: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const status = calculateStatus(d, all, newSet, nowMs)
  let conditions: readonly Condition[] = status.conditions ?? []
  if (!hasProgressDeadline(d)) conditions = withoutCondition(conditions, "Progressing")
  const current = conditionOf(d.status, "Progressing")
  const done = status.replicas === status.updatedReplicas && current?.reason === "NewReplicaSetAvailable"
  if (hasProgressDeadline(d) && !done) {
    const subject = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${d.metadata.name}"`
    if (isComplete(d, status)) {
      const message = `${subject} has successfully progressed.`
      conditions = withCondition(
        conditions,
        newCondition("Progressing", "True", "NewReplicaSetAvailable", message, nowMs),
      )
    } else if (isProgressing(d, status)) {
      const next = newCondition(
        "Progressing",
        "True",
        "ReplicaSetUpdated",
        `${subject} is progressing.`,
        nowMs,
      )
      if (current?.status === "True") next.lastTransitionTime = current.lastTransitionTime
      conditions = [...withoutCondition(conditions, "Progressing"), next]
    } else if (hasTimedOut(d, status, nowMs)) {
      const message = `${subject} has timed out progressing.`
      conditions = withCondition(
        conditions,
        newCondition("Progressing", "False", "ProgressDeadlineExceeded", message, nowMs),
      )
    }
  }
  const failure = replicaFailure(all, newSet)
  conditions = failure ? withCondition(conditions, failure) : withoutCondition(conditions, "ReplicaFailure")
  return { ...status, conditions: [...conditions] }
}

function replicaFailure(all: readonly ReplicaSet[], newSet: ReplicaSet | undefined): Condition | undefined {
  const order = newSet ? [newSet, ...all] : all
  for (const set of order) {
    const failure = set.status?.conditions?.find((condition) => condition.type === "ReplicaFailure")
    if (failure) return { ...failure, lastUpdateTime: failure.lastTransitionTime }
  }
  return undefined
}

/** Milliseconds until the progress deadline is to be checked again; undefined when it need not be. */
export function progressCheckMs(d: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  const current = conditionOf(d.status, "Progressing")
  if (!hasProgressDeadline(d) || !current) return undefined
  if (isComplete(d, status) || current.reason === "ProgressDeadlineExceeded") return undefined
  const left = Date.parse(current.lastUpdateTime ?? "") + d.spec.progressDeadlineSeconds! * 1000 - nowMs
  return Math.max(left, 0) + 1000
}

/** Marks the moments of pausing and resuming, so that a pause does not count towards the deadline. */
export function pauseCondition(d: Deployment, nowMs: number): Condition | undefined {
  if (!hasProgressDeadline(d)) return undefined
  const current = conditionOf(d.status, "Progressing")
  if (current?.reason === "ProgressDeadlineExceeded") return undefined
  const marked = current?.reason === "DeploymentPaused"
  if (d.spec.paused && !marked) {
    return newCondition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", nowMs)
  }
  if (!d.spec.paused && marked) {
    return newCondition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", nowMs)
  }
  return undefined
}
