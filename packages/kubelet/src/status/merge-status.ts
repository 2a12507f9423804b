/**
 * What becomes of the status at the API when the node has a new one: others' conditions stay, terminated
 * containers stay terminated, times move only with what they are about.
 * Mirrors: pkg/kubelet/status/status_manager.go (mergePodStatus, normalizeStatus, checkContainerStateTransition)
 */
import type { Container, ContainerStatus, Pod, PodCondition, PodStatus } from "@knarr/api"
import { formatTime, parseTime } from "@knarr/apimachinery"
import { isSidecar } from "@knarr/pod-rules"
import { gatedReady } from "./readiness-gates.ts"

const ownConditions: ReadonlySet<string> = new Set([
  "PodScheduled",
  "Ready",
  "Initialized",
  "ContainersReady",
  "PodReadyToStartContainers",
  "PodResizePending",
  "PodResizeInProgress",
  "AllContainersRestarting",
])
const sharedConditions: ReadonlySet<string> = new Set(["DisruptionTarget"])

/** Fields of the status that others write. */
const foreignFields = [
  "nominatedNodeName",
  "resourceClaimStatuses",
  "extendedResourceClaimStatus",
  "nodeAllocatableResourceClaimStatuses",
] as const

const maxTerminationTextBytes = 12 * 1024

/** The status to write. `old` is the API's, as far as it is known. Neither is changed. */
export function mergeStatus(
  pod: Readonly<Pod>,
  old: Readonly<PodStatus>,
  next: Readonly<PodStatus>,
  nowMs: number,
): PodStatus {
  const merged: PodStatus = { ...next }
  for (const name of foreignFields) {
    if (old[name] === undefined) delete merged[name]
    else Object.assign(merged, { [name]: old[name] })
  }
  merged.qosClass ??= old.qosClass
  merged.observedGeneration ??= pod.metadata.generation
  merged.startTime = next.startTime ?? old.startTime ?? formatTime(nowMs)
  keepTerminated(pod, old, merged)
  const running = hasRunningContainers(merged)
  const ending = !isTerminal(old.phase) && isTerminal(merged.phase)
  if (ending && running) {
    merged.phase = old.phase
    merged.reason = old.reason
    merged.message = old.message
  }
  // An ended pod never comes back.
  if (isTerminal(old.phase) && merged.phase !== old.phase) merged.phase = old.phase
  merged.conditions = mergeConditions(pod, old, merged, next, !running, nowMs)
  for (const key of Object.keys(merged) as (keyof PodStatus)[])
    if (merged[key] === undefined) delete merged[key]
  return merged
}

function mergeConditions(
  pod: Readonly<Pod>,
  old: Readonly<PodStatus>,
  merged: Readonly<PodStatus>,
  next: Readonly<PodStatus>,
  allStopped: boolean,
  nowMs: number,
): PodCondition[] {
  const before = old.conditions ?? []
  const wanted = (next.conditions ?? []).filter(
    ({ type }) => ownConditions.has(type) || (sharedConditions.has(type) && allStopped),
  )
  const gone = ["PodResizePending", "PodResizeInProgress", "AllContainersRestarting"]
  const kept = before.filter(
    ({ type }) => !wanted.some((condition) => condition.type === type) && !gone.includes(type),
  )
  let all: PodCondition[] = [...kept, ...wanted]
  const ready = gatedReady(pod, all)
  if (ready) all = all.map((condition) => (condition.type === "Ready" ? ready : condition))
  if (isTerminal(merged.phase)) all = all.map((condition) => endedCondition(condition, merged.phase!))
  return all.map((condition) => {
    if (!ownConditions.has(condition.type) && !wanted.includes(condition)) return condition
    const previous = before.find(({ type }) => type === condition.type)
    const same = previous?.status === condition.status
    const out: PodCondition = {
      type: condition.type,
      status: condition.status,
      lastProbeTime: condition.lastProbeTime ?? previous?.lastProbeTime,
      lastTransitionTime: (same ? previous?.lastTransitionTime : undefined) ?? formatTime(nowMs),
      reason: condition.reason,
      message: condition.message,
      observedGeneration: condition.observedGeneration ?? pod.metadata.generation,
    }
    for (const key of Object.keys(out) as (keyof PodCondition)[]) if (out[key] === undefined) delete out[key]
    return out
  })
}

/** An ended pod is not ready, whatever its containers said last. */
function endedCondition(condition: PodCondition, phase: string): PodCondition {
  if ((condition.type !== "Ready" && condition.type !== "ContainersReady") || condition.status !== "True")
    return condition
  const { message: _, ...rest } = condition
  return { ...rest, status: "False", reason: phase === "Failed" ? "PodFailed" : "PodCompleted" }
}

/** Containers that ended for good keep their end when `merged` has forgotten it. */
function keepTerminated(pod: Readonly<Pod>, old: Readonly<PodStatus>, merged: PodStatus): void {
  const { spec } = pod
  const settle = (
    field: "containerStatuses" | "initContainerStatuses",
    containers: readonly Container[],
    mayRestart: (container: Container | undefined, exitCode: number) => boolean,
  ): void => {
    const known = merged[field]
    if (!known) return
    merged[field] = known.map((status) => {
      const before = old[field]?.find((candidate) => candidate.name === status.name)
      const terminated = before?.state?.terminated
      if (!terminated || status.state?.terminated) return status
      const container = containers.find((candidate) => candidate.name === status.name)
      return mayRestart(container, terminated.exitCode) ? status : before
    })
  }
  const policyOf = (container: Container | undefined): string =>
    container?.restartPolicy ?? spec.restartPolicy ?? "Always"
  const restarts = (container: Container | undefined, exitCode: number): boolean => {
    if (container?.restartPolicyRules?.length) return true
    const policy = policyOf(container)
    return policy === "Always" || (policy === "OnFailure" && exitCode !== 0)
  }
  settle("containerStatuses", spec.containers, restarts)
  settle("initContainerStatuses", spec.initContainers ?? [], (container, exitCode) => {
    // Init containers that succeeded run again only when the whole pod starts anew.
    if (container && isSidecar(container)) return true
    return spec.restartPolicy !== "Never" || restarts(container, exitCode)
  })
}

/** As the API prints it: sorted containers, bounded texts, times to the second. */
export function normalizeStatus(pod: Readonly<Pod>, status: Readonly<PodStatus>): PodStatus {
  const out: PodStatus = { ...status }
  const count = pod.spec.containers.length + (pod.spec.initContainers?.length ?? 0)
  const maxBytes = Math.floor(maxTerminationTextBytes / Math.max(count, 1))
  const bound = (one: ContainerStatus): ContainerStatus => boundText(one, maxBytes)
  if (out.containerStatuses)
    out.containerStatuses = out.containerStatuses.map(bound).sort((a, b) => (a.name < b.name ? -1 : 1))
  if (out.initContainerStatuses) {
    const order = (pod.spec.initContainers ?? []).map(({ name }) => name)
    out.initContainerStatuses = out.initContainerStatuses
      .map(bound)
      .sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
  }
  if (out.ephemeralContainerStatuses)
    out.ephemeralContainerStatuses = out.ephemeralContainerStatuses
      .map(bound)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  if (out.startTime) out.startTime = toSecond(out.startTime)
  return out
}

function boundText(status: ContainerStatus, maxBytes: number): ContainerStatus {
  const shorten = (state: ContainerStatus["state"]): ContainerStatus["state"] => {
    const message = state?.terminated?.message
    if (message === undefined || Buffer.byteLength(message) <= maxBytes) return state
    const bytes = Buffer.from(message)
    return {
      ...state,
      terminated: { ...state!.terminated!, message: bytes.subarray(0, maxBytes).toString() },
    }
  }
  // The API writes both, empty or not.
  return { ...status, state: shorten(status.state) ?? {}, lastState: shorten(status.lastState) ?? {} }
}

function toSecond(text: string): string {
  const ms = parseTime(text)
  return Number.isNaN(ms) ? text : formatTime(ms)
}

function hasRunningContainers(status: Readonly<PodStatus>): boolean {
  return [
    ...(status.initContainerStatuses ?? []),
    ...(status.containerStatuses ?? []),
    ...(status.ephemeralContainerStatuses ?? []),
  ].some((container) => container.state?.running !== undefined)
}

function isTerminal(phase: string | undefined): boolean {
  return phase === "Succeeded" || phase === "Failed"
}
