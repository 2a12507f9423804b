/**
 * The status of a pod, from what the runtime holds. Pure.
 * Mirrors: pkg/kubelet/kubelet_pods.go (generateAPIPodStatus, getPhase)
 */
import type { PodFailure } from "./pod-failure.ts"
import type {
  Container,
  ContainerStatus,
  Pod,
  PodCondition,
  PodStatus,
  ResourceRequirements,
} from "@knarr/api"
import { deepClone, formatTime } from "@knarr/apimachinery"
import { isSidecar } from "@knarr/pod-rules"
import { closeStatuses, containerStatuses, type StartFailures } from "./container-status.ts"
import { sandboxChanged, wantsRestartAll, type ProbeResult } from "./plan.ts"
import { kubeletConditions } from "./pod-conditions.ts"
import { qosClassOf } from "./qos.ts"
import { hasInitialized, actionAfterExit } from "./restart-policy.ts"
import type { RuntimePod } from "./runtime-pod.ts"

export interface PodStatusInput {
  readonly pod: Readonly<Pod>
  readonly runtime: RuntimePod
  /** The status that was told last. */
  readonly old: Readonly<PodStatus>
  readonly runtimeName: string
  readonly nodeIPs: readonly string[]
  readonly failures: StartFailures
  /** What running containers were given, by id; default: what the spec says. */
  readonly applied: ReadonlyMap<string, ResourceRequirements>
  /** What is to be said of a change of resources; default: nothing. */
  readonly resizing?: readonly PodCondition[]
  readonly probe: ProbeResult
  readonly nowMs: number
  /** Nothing of the pod runs any more, and nothing will. */
  readonly ended: boolean
  readonly failure?: PodFailure | undefined
}

export function podStatus(input: PodStatusInput): PodStatus {
  const { pod, runtime, old, nodeIPs, nowMs, ended, failure } = input
  const { spec } = pod
  const init = spec.initContainers ?? []
  const initialized = hasInitialized(pod, runtime) || wasInitialized(old)
  const over = ended || isTerminalPhase(pod.status.phase)
  const of = { ...input, ended: over }
  let initStatuses = containerStatuses(init, old.initContainerStatuses, "init", of)
  let statuses = containerStatuses(spec.containers, old.containerStatuses, "main", of)
  const ephemeral = (spec.ephemeralContainers ?? []) as readonly Container[]
  const ephemeralStatuses = containerStatuses(ephemeral, old.ephemeralContainerStatuses, "ephemeral", of)
  if (ended) {
    const neverBegun = init.length > 0 && !initialized
    if (!neverBegun) statuses = closeStatuses(statuses, "all")
    initStatuses = closeStatuses(initStatuses, "begun")
  }
  limitMessages([...initStatuses, ...statuses, ...ephemeralStatuses])

  const out: PodStatus = {
    phase: podPhase(pod, initStatuses, statuses, ended, initialized),
    qosClass: qosClassOf(pod),
    startTime: old.startTime ?? pod.status.startTime ?? formatTime(nowMs),
    hostIP: nodeIPs[0],
    hostIPs: nodeIPs.map((ip) => ({ ip })),
    containerStatuses: statuses,
  }
  if (init.length > 0) out.initContainerStatuses = initStatuses
  if (ephemeral.length > 0) out.ephemeralContainerStatuses = ephemeralStatuses
  if (pod.metadata.generation) out.observedGeneration = pod.metadata.generation
  for (const name of ["resourceClaimStatuses", "extendedResourceClaimStatus", "nominatedNodeName"] as const)
    if (pod.status[name] !== undefined) Object.assign(out, { [name]: pod.status[name] })
  setPhase(out, input)
  if (failure) Object.assign(out, { phase: "Failed", reason: failure.reason, message: failure.message })
  setAddresses(out, input)
  const { changed } = sandboxChanged(pod, runtime)
  out.conditions = kubeletConditions(pod, old, out, !changed, nowMs, failure)
  out.conditions.push(...(input.resizing ?? []), ...restartingCondition(input, out.phase))
  return out
}

/** Only of pods of which one container may ask for the restart of all. */
function restartingCondition(
  { pod, runtime, old, nowMs }: PodStatusInput,
  phase: string | undefined,
): PodCondition[] {
  const type = "AllContainersRestarting"
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  if (!all.some((one) => one.restartPolicyRules?.some(({ action }) => action === "RestartAllContainers")))
    return []
  const over = phase === "Succeeded" ? "PodCompleted" : phase === "Failed" ? "PodFailed" : undefined
  const restarts = over === undefined && wantsRestartAll(pod, runtime)
  const status = restarts ? "True" : "False"
  const known = old.conditions?.find((condition) => condition.type === type)
  return [
    {
      type,
      status,
      lastTransitionTime:
        known?.status === status && known.lastTransitionTime ? known.lastTransitionTime : formatTime(nowMs),
      ...(over ? { reason: over } : {}),
      ...(restarts
        ? { reason: "RestartAllContainersStarted", message: "container exited with restart policy rule" }
        : {}),
    },
  ]
}

export function isTerminalPhase(phase: string | undefined): boolean {
  return phase === "Failed" || phase === "Succeeded"
}

/** A terminal phase is never left again, and keeps its reason. */
function setPhase(out: PodStatus, { pod, old, ended }: PodStatusInput): void {
  if (isTerminalPhase(pod.status.phase) && out.phase !== pod.status.phase) out.phase = pod.status.phase
  else if (!isTerminalPhase(out.phase)) {
    if (isTerminalPhase(old.phase)) out.phase = old.phase
    // A pod that was ended before it could do its work has failed.
    else if (ended) out.phase = "Failed"
  }
  if (out.phase !== old.phase) return
  const reason = old.reason || pod.status.reason
  const message = old.message || pod.status.message
  if (reason) out.reason = reason
  if (message) out.message = message
}

function setAddresses(out: PodStatus, { pod, runtime, old, nodeIPs }: PodStatusInput): void {
  if (pod.spec.hostNetwork) {
    if (nodeIPs.length > 0 && (runtime.sandboxes.length > 0 || old.podIP)) {
      out.podIP = nodeIPs[0]
      out.podIPs = nodeIPs.map((ip) => ({ ip }))
    }
    return
  }
  const newest = runtime.sandboxes[0]
  // The addresses of a pod that has ended stay for those who look back.
  const known = newest?.ready ? newest.ips : []
  if (known.length > 0) {
    out.podIP = known[0]
    out.podIPs = known.map((ip) => ({ ip }))
  } else if (old.podIP && old.podIPs) {
    out.podIP = old.podIP
    out.podIPs = deepClone(old.podIPs)
  }
}

function wasInitialized(old: Readonly<PodStatus>): boolean {
  return (old.containerStatuses ?? []).some(
    ({ state, lastState }) => state?.running ?? state?.terminated ?? lastState?.terminated,
  )
}

const maxMessages = 12 * 1024

/** All termination messages together stay within 12 KiB. */
function limitMessages(statuses: readonly ContainerStatus[]): void {
  const share = Math.floor(maxMessages / Math.max(statuses.length, 1))
  for (const status of statuses)
    for (const name of ["state", "lastState"] as const) {
      const terminated = status[name]?.terminated
      if (!terminated?.message || terminated.message.length <= share) continue
      status[name] = { terminated: { ...terminated, message: terminated.message.slice(0, share) } }
    }
}

/** The phase that the containers' statuses make. */
export function podPhase(
  pod: Readonly<Pod>,
  initStatuses: readonly ContainerStatus[],
  statuses: readonly ContainerStatus[],
  ended: boolean,
  initialized: boolean,
): string {
  const { spec } = pod
  let pendingInit = 0
  let pendingSidecars = 0
  let running = 0
  let waiting = 0
  let stopped = 0
  let succeeded = 0
  let unknown = 0
  for (const [i, container] of (spec.initContainers ?? []).entries()) {
    const { state, lastState, started } = initStatuses[i]!
    if (isSidecar(container)) {
      if (state?.running) {
        if (!started) pendingSidecars++
        running++
      } else if (state?.waiting && !lastState?.terminated) {
        pendingSidecars++
        waiting++
      }
      continue
    }
    const end = state?.terminated ?? (state?.waiting ? lastState?.terminated : undefined)
    if (!end) pendingInit++
    else if (end.exitCode !== 0 && actionAfterExit(container, pod, end.exitCode) === "stay") return "Failed"
  }
  for (const [i] of spec.containers.entries()) {
    const { state, lastState } = statuses[i]!
    if (state?.running) running++
    else if (state?.terminated) {
      stopped++
      if (state.terminated.exitCode === 0) succeeded++
    } else if (state?.waiting) {
      if (lastState?.terminated) stopped++
      else waiting++
    } else unknown++
  }
  if ((pendingInit > 0 || pendingSidecars > 0) && !initialized) return "Pending"
  if (waiting > 0) return "Pending"
  if (running > 0 && unknown === 0) return "Running"
  if (stopped === 0 || unknown > 0) return "Pending"
  if (ended) return stopped === succeeded ? "Succeeded" : "Failed"
  const stays = spec.containers.every((container, i) => {
    const end = statuses[i]!.state?.terminated
    return end !== undefined && actionAfterExit(container, pod, end.exitCode) === "stay"
  })
  if (!stays) return "Running"
  return stopped === succeeded ? "Succeeded" : "Failed"
}
