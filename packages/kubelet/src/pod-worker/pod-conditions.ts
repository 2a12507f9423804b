/**
 * The conditions of a pod that the kubelet owns.
 * Mirrors: pkg/kubelet/status/generate.go
 */
import type { ContainerStatus, Pod, PodCondition, PodStatus } from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import { isSidecar } from "@knarr/pod-rules"
import type { PodFailure } from "./pod-failure.ts"

type Outcome = Pick<PodCondition, "status" | "reason" | "message">

const owned = [
  "PodReadyToStartContainers",
  "Initialized",
  "Ready",
  "ContainersReady",
  "PodScheduled",
  "PodResizePending",
  "PodResizeInProgress",
  "AllContainersRestarting",
]

/** The conditions of others as they are, and our own. Times move only when a status does. */
export function kubeletConditions(
  pod: Readonly<Pod>,
  old: Readonly<PodStatus>,
  status: Readonly<PodStatus>,
  sandboxReady: boolean,
  nowMs: number,
  failure: PodFailure | undefined,
): PodCondition[] {
  const before = old.conditions ?? pod.status.conditions ?? []
  const out: PodCondition[] = (pod.status.conditions ?? before)
    .filter(({ type }) => !owned.includes(type))
    .map((c) => ({ ...c }))
  const put = (type: string, { status: value, reason, message }: Outcome): void => {
    const known = before.find((condition) => condition.type === type)
    const condition: PodCondition = {
      type,
      status: value,
      lastTransitionTime:
        known?.status === value && known.lastTransitionTime ? known.lastTransitionTime : formatTime(nowMs),
      ...(reason ? { reason } : {}),
      ...(message ? { message } : {}),
    }
    if (pod.metadata.generation) condition.observedGeneration = pod.metadata.generation
    const at = out.findIndex((other) => other.type === type)
    if (at >= 0) out[at] = condition
    else out.push(condition)
  }
  if (failure?.disruption)
    put("DisruptionTarget", { status: "True", reason: "TerminationByKubelet", message: failure.message })
  const containersReady = containersReadyOutcome(pod, status)
  put("PodReadyToStartContainers", { status: sandboxReady ? "True" : "False" })
  put("Initialized", initializedOutcome(pod, status))
  put("Ready", readyOutcome(pod, out, containersReady))
  put("ContainersReady", containersReady)
  put("PodScheduled", { status: "True" })
  return out
}

function initializedOutcome(pod: Readonly<Pod>, status: Readonly<PodStatus>): Outcome {
  const statuses = status.initContainerStatuses ?? []
  const init = pod.spec.initContainers ?? []
  if (status.phase === "Succeeded") return { status: "True", reason: "PodCompleted" }
  // Once a main container has started, the pod was initialized, whatever became of its init containers.
  if (status.containerStatuses?.some(hasStarted)) return { status: "True" }
  const incomplete = init
    .filter((container, i) => {
      const own = statuses[i]
      return isSidecar(container) ? own?.started !== true : own?.ready !== true
    })
    .map(({ name }) => name)
  if (incomplete.length === 0) return { status: "True" }
  return {
    status: "False",
    reason: "ContainersNotInitialized",
    message: `containers with incomplete status: [${incomplete.join(" ")}]`,
  }
}

function hasStarted({ started, state, lastState }: ContainerStatus): boolean {
  return (
    started === true || state?.running !== undefined || Boolean(state?.terminated ?? lastState?.terminated)
  )
}

function containersReadyOutcome(pod: Readonly<Pod>, status: Readonly<PodStatus>): Outcome {
  if (status.phase === "Succeeded") return { status: "False", reason: "PodCompleted" }
  if (status.phase === "Failed") return { status: "False", reason: "PodFailed" }
  const unready: string[] = []
  for (const [i, container] of (pod.spec.initContainers ?? []).entries())
    if (isSidecar(container) && !status.initContainerStatuses?.[i]?.ready) unready.push(container.name)
  for (const [i, container] of pod.spec.containers.entries())
    if (!status.containerStatuses?.[i]?.ready) unready.push(container.name)
  if (unready.length === 0) return { status: "True" }
  const message = `containers with unready status: [${unready.join(" ")}]`
  return { status: "False", reason: "ContainersNotReady", message }
}

function readyOutcome(
  pod: Readonly<Pod>,
  conditions: readonly PodCondition[],
  containersReady: Outcome,
): Outcome {
  if (containersReady.status !== "True") return containersReady
  const problems: string[] = []
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const found = conditions.find(({ type }) => type === conditionType)
    if (!found)
      problems.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`)
    else if (found.status !== "True")
      problems.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`)
  }
  if (problems.length === 0) return { status: "True" }
  return { status: "False", reason: "ReadinessGatesNotReady", message: problems.join(", ") }
}
