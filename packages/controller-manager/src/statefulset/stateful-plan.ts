/** What a stateful set does next. Pure. Mirrors: pkg/controller/statefulset/stateful_set_control.go */
import type { ControllerRevision, Pod, StatefulSet, StatefulSetStatus } from "@knarr/api"
import { scaledValueFromIntOrPercent } from "@knarr/apimachinery"
import {
  hasIdentity,
  isAvailable,
  isCreated,
  isHealthy,
  isRunningAndReady,
  isTerminating,
  ordinalOf,
  podRevision,
  replicasOf,
  startOrdinal,
} from "./identity.ts"

export interface StatefulInput {
  readonly set: StatefulSet
  readonly current: ControllerRevision
  readonly update: ControllerRevision
  readonly collisionCount: number | undefined
  readonly pods: readonly Pod[]
  readonly nowMs: number
}

export type Action =
  | { readonly type: "create"; readonly ordinal: number; readonly revision: ControllerRevision }
  | { readonly type: "restart"; readonly pod: Pod }
  | { readonly type: "delete"; readonly pod: Pod }
  | { readonly type: "fix"; readonly pod: Pod }

export interface StatefulPlan {
  readonly actions: Action[]
  readonly status: StatefulSetStatus
}

function isRolling(set: StatefulSet): boolean {
  return (set.spec.updateStrategy?.type ?? "RollingUpdate") === "RollingUpdate"
}

function baseStatus({ set, current, update, collisionCount, pods, nowMs }: StatefulInput): StatefulSetStatus {
  const status: StatefulSetStatus = {
    observedGeneration: set.metadata.generation,
    replicas: 0,
    readyReplicas: 0,
    availableReplicas: 0,
    currentReplicas: 0,
    updatedReplicas: 0,
    currentRevision: current.metadata.name,
    updateRevision: update.metadata.name,
  }
  status.collisionCount = collisionCount ?? 0
  if (set.status?.conditions) status.conditions = set.status.conditions
  for (const pod of pods) {
    if (isCreated(pod)) status.replicas++
    if (isRunningAndReady(pod)) status.readyReplicas!++
    if (isAvailable(set, pod, nowMs)) status.availableReplicas!++
    if (isCreated(pod) && !isTerminating(pod)) {
      if (podRevision(pod) === current.metadata.name) status.currentReplicas!++
      if (podRevision(pod) === update.metadata.name) status.updatedReplicas!++
    }
  }
  return status
}

/** The revision that a new pod gets: the current one below the partition while an update is under way. */
function revisionFor({ set, current, update }: StatefulInput, ordinal: number): ControllerRevision {
  if (!isRolling(set) || current.metadata.name === update.metadata.name) return update
  const rolling = set.spec.updateStrategy?.rollingUpdate
  const below = rolling ? (rolling.partition ?? 0) : (set.status?.currentReplicas ?? 0)
  return ordinal < startOrdinal(set) + below ? current : update
}

/** Pods that one pass makes for a set at most; those that it makes lead to the next pass. */
const burst = 500

export function planStateful(input: StatefulInput): StatefulPlan {
  const { set, pods, update } = input
  const status = baseStatus(input)
  const actions: Action[] = []
  const plan = { actions, status }
  if (set.metadata.deletionTimestamp) return plan
  const monotonic = set.spec.podManagementPolicy !== "Parallel"
  const start = startOrdinal(set)
  const wanted = replicasOf(set)
  // What a pass looks at is bounded by the pods that there are, whatever number is asked for.
  const replicas = new Array<Pod | undefined>(Math.min(wanted, pods.length + burst)).fill(undefined)
  const condemned: Pod[] = []
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod)
    if (ordinal < 0) continue
    if (ordinal < start || ordinal >= start + wanted) condemned.push(pod)
    else if (ordinal < start + replicas.length) replicas[ordinal - start] = pod
  }
  condemned.sort((a, b) => ordinalOf(set, b) - ordinalOf(set, a))
  if (
    keepReplicas(input, replicas, monotonic, plan) ||
    dropCondemned(input, replicas, condemned, monotonic, plan)
  ) {
    return plan
  }
  if (isRolling(set) && replicas.length === wanted) {
    updateReplicas(input, replicas, plan)
    if (status.updatedReplicas === wanted && status.readyReplicas === wanted && status.replicas === wanted) {
      status.currentReplicas = status.updatedReplicas
      status.currentRevision = update.metadata.name
    }
  }
  return plan
}

/** True when what comes later has to wait. */
function keepReplicas(
  input: StatefulInput,
  replicas: readonly (Pod | undefined)[],
  monotonic: boolean,
  { actions, status }: StatefulPlan,
): boolean {
  const { set, current, update, nowMs } = input
  let waiting = false
  for (const [i, pod] of replicas.entries()) {
    const ordinal = startOrdinal(set) + i
    if (!pod) {
      const revision = revisionFor(input, ordinal)
      actions.push({ type: "create", ordinal, revision })
      status.replicas++
      if (revision.metadata.name === current.metadata.name) status.currentReplicas!++
      if (revision.metadata.name === update.metadata.name) status.updatedReplicas!++
      if (monotonic) return true
      continue
    }
    const { phase } = pod.status ?? {}
    if (phase === "Failed" || phase === "Succeeded") {
      if (!isTerminating(pod)) actions.push({ type: "restart", pod })
      if (monotonic) return true
      waiting = true
      continue
    }
    if (monotonic && (isTerminating(pod) || !isAvailable(set, pod, nowMs))) {
      if (!isTerminating(pod) && !hasIdentity(set, pod)) actions.push({ type: "fix", pod })
      return true
    }
    if (!isTerminating(pod) && !hasIdentity(set, pod)) actions.push({ type: "fix", pod })
  }
  return waiting
}

function dropCondemned(
  { set, nowMs }: StatefulInput,
  replicas: readonly (Pod | undefined)[],
  condemned: readonly Pod[],
  monotonic: boolean,
  { actions, status }: StatefulPlan,
): boolean {
  const firstUnhealthy =
    replicas.find((pod) => pod !== undefined && !isHealthy(pod)) ??
    [...condemned].reverse().find((pod) => !isHealthy(pod))
  for (const pod of condemned) {
    if (isTerminating(pod)) {
      if (monotonic) return true
      continue
    }
    if (monotonic && pod !== firstUnhealthy && (!isRunningAndReady(pod) || !isAvailable(set, pod, nowMs)))
      return true
    actions.push({ type: "delete", pod })
    if (podRevision(pod) === status.currentRevision) status.currentReplicas!--
    if (podRevision(pod) === status.updateRevision) status.updatedReplicas!--
    if (monotonic) return true
  }
  return false
}

function updateReplicas(
  input: StatefulInput,
  replicas: readonly (Pod | undefined)[],
  { actions, status }: StatefulPlan,
): void {
  const { set, update, nowMs } = input
  const rolling = set.spec.updateStrategy?.rollingUpdate
  const partition = rolling?.partition ?? 0
  const maxUnavailable = Math.max(
    1,
    scaledValueFromIntOrPercent(rolling?.maxUnavailable ?? 1, replicas.length, false),
  )
  const healthy = (pod: Pod | undefined): boolean =>
    pod !== undefined && isHealthy(pod) && isAvailable(set, pod, nowMs)
  let unavailable = maxUnavailable === 1 ? 0 : replicas.filter((pod) => !healthy(pod)).length
  for (let i = replicas.length - 1; i >= partition; i--) {
    if (unavailable >= maxUnavailable) return
    const pod = replicas[i]
    if (!pod) return
    if (podRevision(pod) !== update.metadata.name && !isTerminating(pod)) {
      // One that is down already makes nothing worse.
      if (maxUnavailable === 1 || healthy(pod)) unavailable++
      actions.push({ type: "delete", pod })
      if (podRevision(pod) === status.currentRevision) status.currentReplicas!--
    } else if (maxUnavailable === 1 && !healthy(pod)) return
  }
}
