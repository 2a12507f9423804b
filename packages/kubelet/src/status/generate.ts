/**
 * The conditions of a pod that follow from its containers' statuses.
 * Mirrors: pkg/kubelet/status/generate.go
 */
import type { ContainerStatus, Pod, PodCondition, PodSpec, PodStatus } from "@knarr/api"
import { isSidecar } from "@knarr/pod-rules"

type Condition = Pick<PodCondition, "type" | "status" | "reason" | "message" | "observedGeneration">

const unknownContainerStatuses = "UnknownContainerStatuses"
const podCompleted = "PodCompleted"
const podFailed = "PodFailed"
const containersNotReady = "ContainersNotReady"
const containersNotInitialized = "ContainersNotInitialized"
const readinessGatesNotReady = "ReadinessGatesNotReady"

/** `ContainersReady`: all main containers and sidecars are. `statuses` undefined: nothing is known yet. */
export function containersReadyCondition(
  pod: Readonly<Pod>,
  statuses: readonly ContainerStatus[] | undefined,
  phase: string,
): Condition {
  const type = "ContainersReady"
  if (!statuses) return notReady(type, pod, unknownContainerStatuses)
  const unknown: string[] = []
  const unready: string[] = []
  const check = (name: string): void => {
    const status = statuses.find((candidate) => candidate.name === name)
    if (!status) unknown.push(name)
    else if (!status.ready) unready.push(name)
  }
  const { spec } = pod
  for (const container of spec.initContainers ?? []) if (isSidecar(container)) check(container.name)
  for (const container of spec.containers) check(container.name)
  if (phase === "Succeeded" && unknown.length === 0) return notReady(type, pod, podCompleted)
  if (phase === "Failed") return notReady(type, pod, podFailed)
  const message = unreadyText(unknown, unready)
  if (message) return notReady(type, pod, containersNotReady, message)
  return { type, observedGeneration: pod.metadata.generation, status: "True" }
}

/** `Ready`: the containers are, and so is every readiness gate. `conditions` are all that the pod has. */
export function podReadyCondition(
  pod: Readonly<Pod>,
  conditions: readonly PodCondition[],
  statuses: readonly ContainerStatus[] | undefined,
  phase: string,
): Condition {
  const type = "Ready"
  const containers = containersReadyCondition(pod, statuses, phase)
  if (containers.status !== "True") return { ...containers, type }
  const messages: string[] = []
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const condition = conditions.find((candidate) => candidate.type === conditionType)
    if (!condition)
      messages.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`)
    else if (condition.status !== "True")
      messages.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`)
  }
  if (messages.length > 0) return notReady(type, pod, readinessGatesNotReady, messages.join(", "))
  return { type, observedGeneration: pod.metadata.generation, status: "True" }
}

/** `Initialized`: all init containers are done, or, of sidecars, started. */
export function podInitializedCondition(
  pod: Readonly<Pod>,
  statuses: readonly ContainerStatus[] | undefined,
  phase: string,
): Condition {
  const type = "Initialized"
  const { spec } = pod
  const observedGeneration = pod.metadata.generation
  if (!statuses && (spec.initContainers?.length ?? 0) > 0) return notReady(type, pod, unknownContainerStatuses)
  const unknown: string[] = []
  const incomplete: string[] = []
  for (const container of spec.initContainers ?? []) {
    const status = statuses!.find((candidate) => candidate.name === container.name)
    if (!status) unknown.push(container.name)
    else if (isSidecar(container) ? !status.started : !status.ready) incomplete.push(container.name)
  }
  if (phase === "Succeeded" && unknown.length === 0)
    return { type, observedGeneration, status: "True", reason: podCompleted }
  // A main container that has started says so too.
  if (hasStarted(spec, statuses)) return { type, observedGeneration, status: "True" }
  const parts: string[] = []
  if (unknown.length > 0) parts.push(`containers with unknown status: [${unknown.join(" ")}]`)
  if (incomplete.length > 0) parts.push(`containers with incomplete status: [${incomplete.join(" ")}]`)
  if (parts.length > 0) return notReady(type, pod, containersNotInitialized, parts.join(", "))
  return { type, observedGeneration, status: "True" }
}

/** `PodReadyToStartContainers`: the sandbox is there and has its network. */
export function podReadyToStartContainersCondition(pod: Readonly<Pod>, isReady: boolean): Condition {
  return {
    type: "PodReadyToStartContainers",
    observedGeneration: pod.metadata.generation,
    status: isReady ? "True" : "False",
  }
}

/** `PodScheduled`: it is here. */
export function podScheduledCondition(pod: Readonly<Pod>): Condition {
  return { type: "PodScheduled", observedGeneration: pod.metadata.generation, status: "True" }
}

/** `Ready` anew after someone else has changed conditions; undefined: there is nothing to decide yet. */
export function readyAmong(pod: Readonly<Pod>, status: Readonly<PodStatus>): Condition | undefined {
  if (!status.conditions?.some((condition) => condition.type === "Ready")) return undefined
  const statuses = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])]
  return podReadyCondition(pod, status.conditions, statuses, status.phase ?? "")
}

function hasStarted(spec: Readonly<PodSpec>, statuses: readonly ContainerStatus[] | undefined): boolean {
  return spec.containers.some((container) => {
    const status = statuses?.find((candidate) => candidate.name === container.name)
    return (
      status !== undefined &&
      (status.started === true || status.state?.terminated !== undefined || status.lastState?.terminated !== undefined)
    )
  })
}

function unreadyText(unknown: readonly string[], unready: readonly string[]): string {
  const parts: string[] = []
  if (unknown.length > 0) parts.push(`containers with unknown status: [${unknown.join(" ")}]`)
  if (unready.length > 0) parts.push(`containers with unready status: [${unready.join(" ")}]`)
  return parts.join(", ")
}

function notReady(type: string, pod: Readonly<Pod>, reason: string, message?: string): Condition {
  const observedGeneration = pod.metadata.generation
  return { type, observedGeneration, status: "False", reason, ...(message ? { message } : {}) }
}
