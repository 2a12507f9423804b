/**
 * Decides what is to be done to a pod's sandbox and containers. Pure: state in, actions out.
 * Mirrors: pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodActions)
 */
import type { Container, Pod } from "@knarr/api"
import { isSidecar } from "@knarr/pod-rules"
import type { ProbeType } from "../contract.ts"
import { hashContainer } from "./labels.ts"
import {
  actionAfterExit,
  hasInitialized,
  initOutcome,
  restartsOnFailure,
  shouldBeStarted,
} from "./restart-policy.ts"
import { latestContainer, type RuntimeContainer, type RuntimePod } from "./runtime-pod.ts"

/** The last outcome of a probe of the container; undefined when there is none yet. */
export type ProbeResult = (container: string, containerId: string, type: ProbeType) => boolean | undefined

/** Why a container is ended: it decides on the grace period. */
export type KillReason = "livenessProbe" | "startupProbe" | "restartAll" | "unknown" | ""

export interface ContainerToKill {
  readonly container: Readonly<Container>
  readonly containerId: string
  /** For the event. */
  readonly message: string
  readonly reason: KillReason
}

export interface PodActions {
  /** End everything, the sandbox too, before anything else. */
  killPod: boolean
  createSandbox: boolean
  /** The sandbox to use, or the one that is replaced. */
  sandboxId: string | undefined
  /** Of the sandbox to be created. */
  attempt: number
  kill: ContainerToKill[]
  startEphemeral: Readonly<Container>[]
  startInit: Readonly<Container>[]
  start: Readonly<Container>[]
  /** Remove every container: a restart rule asks for the whole pod to begin again. */
  restartAll: boolean
}

/** Whether a sandbox must be made, and as which attempt. */
export function sandboxChanged(
  pod: Readonly<Pod>,
  runtime: RuntimePod,
): { changed: boolean; attempt: number; sandboxId: string | undefined } {
  const newest = runtime.sandboxes[0]
  if (!newest) return { changed: true, attempt: 0, sandboxId: undefined }
  const replaced = { changed: true, attempt: newest.attempt + 1, sandboxId: newest.id }
  const onHost = pod.spec.hostNetwork === true
  if (runtime.sandboxes.filter((sandbox) => sandbox.ready).length > 1) return replaced
  if (!newest.ready) return replaced
  if (newest.onHostNetwork !== onHost) return { ...replaced, sandboxId: undefined }
  if (!onHost && newest.ips.length === 0) return replaced
  return { changed: false, attempt: newest.attempt, sandboxId: newest.id }
}

export function planPod(pod: Readonly<Pod>, runtime: RuntimePod, probe: ProbeResult): PodActions {
  const { changed, attempt, sandboxId } = sandboxChanged(pod, runtime)
  const actions: PodActions = {
    killPod: changed,
    createSandbox: changed,
    sandboxId,
    attempt,
    kill: [],
    startEphemeral: [],
    startInit: [],
    start: [],
    restartAll: false,
  }
  if (changed) planNewSandbox(pod, runtime, actions)
  else if (wantsRestartAll(pod, runtime)) planRestartAll(pod, runtime, actions)
  else planContainers(pod, runtime, probe, actions)
  return actions
}

function planNewSandbox(pod: Readonly<Pod>, runtime: RuntimePod, actions: PodActions): void {
  const { spec } = pod
  const anyRestarts = spec.containers.some((container) => restartsOnFailure(container, pod))
  if (!anyRestarts && actions.attempt !== 0 && runtime.containers.length > 0) {
    // What must not restart ends with its sandbox.
    actions.createSandbox = false
    return
  }
  const start = spec.containers.filter((container) => {
    const last = latestContainer(runtime, container.name)
    const succeeded = last?.state === "exited" && last.exitCode === 0
    return !(succeeded && actionAfterExit(container, pod, 0) === "stay")
  })
  if (start.length === 0 && hasInitialized(pod, runtime)) {
    actions.createSandbox = false
    return
  }
  const first = spec.initContainers?.[0]
  if (first) actions.startInit = [first]
  else actions.start = start
}

/** The container whose exit asks for all of them to begin again, if one does. */
export function wantsRestartAll(pod: Readonly<Pod>, runtime: RuntimePod): boolean {
  const { initContainers = [], containers } = pod.spec
  return [...initContainers, ...containers].some((container) => {
    if (!container.restartPolicyRules?.length) return false
    const last = latestContainer(runtime, container.name)
    return last?.state === "exited" && actionAfterExit(container, pod, last.exitCode) === "restartAll"
  })
}

function planRestartAll(pod: Readonly<Pod>, runtime: RuntimePod, actions: PodActions): void {
  actions.restartAll = true
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const last = latestContainer(runtime, container.name)
    if (last?.state !== "running") continue
    const message = `Container ${container.name} is being restarted along with the pod`
    actions.kill.push({ container, containerId: last.id, message, reason: "restartAll" })
  }
}

function planContainers(
  pod: Readonly<Pod>,
  runtime: RuntimePod,
  probe: ProbeResult,
  actions: PodActions,
): void {
  for (const container of pod.spec.ephemeralContainers ?? []) {
    // They are never started a second time.
    if (!latestContainer(runtime, container.name)) actions.startEphemeral.push(container)
  }
  if (!planInit(pod, runtime, probe, actions) || actions.killPod) return

  let kept = 0
  for (const container of pod.spec.containers) {
    const last = latestContainer(runtime, container.name)
    if (last?.state !== "running") {
      if (!shouldBeStarted(container, pod, runtime)) continue
      actions.start.push(container)
      if (last?.state === "unknown") {
        const message = `Container is in "unknown" state, try killing it before restart`
        actions.kill.push({ container, containerId: last.id, message, reason: "unknown" })
      }
      continue
    }
    const why = reasonToKill(container, last, probe)
    if (!why) {
      kept++
      continue
    }
    const restart = why.reason === "" || restartsOnFailure(container, pod)
    const message = restart ? `${why.message}, will be restarted` : why.message
    if (restart) actions.start.push(container)
    actions.kill.push({ container, containerId: last.id, message, reason: why.reason })
  }
  if (kept === 0 && actions.start.length === 0) {
    actions.killPod = true
    // Sidecars must not keep a pod going whose work is done.
    actions.startInit = []
  }
}

function reasonToKill(
  container: Readonly<Container>,
  running: RuntimeContainer,
  probe: ProbeResult,
  kind: "Container" | "Init container" = "Container",
): { message: string; reason: KillReason } | undefined {
  const { name } = container
  if (running.hash !== "" && running.hash !== hashContainer(container))
    return { message: `${kind} ${name} definition changed`, reason: "" }
  if (probe(name, running.id, "liveness") === false)
    return { message: `${kind} ${name} failed liveness probe`, reason: "livenessProbe" }
  if (probe(name, running.id, "startup") === false)
    return { message: `${kind} ${name} failed startup probe`, reason: "startupProbe" }
  return undefined
}

/** Whether the init containers are done, so that the main ones may run. */
function planInit(pod: Readonly<Pod>, runtime: RuntimePod, probe: ProbeResult, actions: PodActions): boolean {
  const init = pod.spec.initContainers ?? []
  if (init.length === 0) return true
  const initialized = hasInitialized(pod, runtime)
  // The last one that was ever begun: all before it were done once, whether or not the runtime still has them.
  const frontier = init.findLastIndex((container) => latestContainer(runtime, container.name) !== undefined)
  if (frontier < 0 && !initialized) {
    actions.startInit.push(init[0]!)
    return false
  }
  let done = initialized
  const until = initialized ? init.length - 1 : frontier
  for (let i = 0; i <= until; i++) {
    const container = init[i]!
    const last = latestContainer(runtime, container.name)
    if (isSidecar(container)) {
      const started = keepSidecar(container, last, probe, actions)
      if (i < frontier || initialized || !started) continue
    } else {
      if (i < frontier || initialized || !last) continue
      const outcome = initOutcome(last)
      if (outcome === "underway") {
        // The start failed half-way: it would stay like this for ever.
        if (last.state === "created") actions.startInit.push(container)
        continue
      }
      if (outcome === "failed") {
        const action =
          last.state === "exited"
            ? actionAfterExit(container, pod, last.exitCode)
            : restartsOnFailure(container, pod)
              ? "restart"
              : "stay"
        if (action === "stay") {
          actions.killPod = true
          actions.startInit = []
          return false
        }
        actions.startInit.push(container)
        continue
      }
    }
    const next = init[i + 1]
    if (next) actions.startInit.push(next)
    else done = true
  }
  return done
}

/** Whether the sidecar has started, so that the next init container may begin. */
function keepSidecar(
  container: Readonly<Container>,
  last: RuntimeContainer | undefined,
  probe: ProbeResult,
  actions: PodActions,
): boolean {
  if (last?.state !== "running") {
    actions.startInit.push(container)
    if (last?.state === "unknown") {
      const message = `Init container is in "unknown" state, try killing it before restart`
      actions.kill.push({ container, containerId: last.id, message, reason: "unknown" })
    }
    return false
  }
  const started = !container.startupProbe || probe(container.name, last.id, "startup") === true
  const why = reasonToKill(container, last, probe, "Init container")
  if (why) {
    actions.startInit.push(container)
    actions.kill.push({ container, containerId: last.id, ...why })
  }
  return started
}
