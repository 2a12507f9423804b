/** What `kubectl get pods` prints. Mirrors: pkg/printers/internalversion/printers.go (printPod) */
import { parseTime, type Column } from "@knarr/apimachinery"
import { age, since, text, wide } from "../../columns.ts"
import type { Container, ContainerState, ContainerStatus, Pod } from "./types.gen.ts"

interface Summary {
  readonly ready: number
  readonly total: number
  readonly reason: string
  readonly restarts: number
  /** When a container last ended and was started again, in ms; undefined when none was. */
  readonly lastRestartMs: number | undefined
}

function isSidecar(container: Container | undefined): boolean {
  return container?.restartPolicy === "Always"
}

function later(a: number | undefined, status: ContainerStatus): number | undefined {
  const finished = status.lastState?.terminated?.finishedAt
  if (!finished) return a
  const ms = parseTime(finished)
  return a === undefined || ms > a ? ms : a
}

function endText(state: NonNullable<ContainerState["terminated"]>): string {
  if (state.reason) return state.reason
  return state.signal ? `Signal:${state.signal}` : `ExitCode:${state.exitCode}`
}

function hasCondition(pod: Pod, type: string): boolean {
  return pod.status.conditions?.some((c) => c.type === type && c.status === "True") ?? false
}

function summarize(pod: Pod): Summary {
  const { spec, status } = pod
  let reason = status.reason || status.phase || ""
  if (status.conditions?.some((c) => c.type === "PodScheduled" && c.reason === "SchedulingGated"))
    reason = "SchedulingGated"
  const inits = new Map((spec.initContainers ?? []).map((container) => [container.name, container]))
  let total = spec.containers?.length ?? 0
  for (const container of inits.values()) if (isSidecar(container)) total++

  let ready = 0
  let restarts = 0
  let sidecarRestarts = 0
  let lastRestart: number | undefined
  let lastSidecarRestart: number | undefined
  let initializing = false
  for (const [at, init] of (status.initContainerStatuses ?? []).entries()) {
    const sidecar = isSidecar(inits.get(init.name))
    restarts += init.restartCount
    lastRestart = later(lastRestart, init)
    if (sidecar) {
      sidecarRestarts += init.restartCount
      lastSidecarRestart = later(lastSidecarRestart, init)
    }
    const { terminated, waiting } = init.state ?? {}
    if (terminated?.exitCode === 0) continue
    if (sidecar && init.started) {
      if (init.ready) ready++
      continue
    }
    initializing = true
    if (terminated) reason = `Init:${endText(terminated)}`
    else if (waiting?.reason && waiting.reason !== "PodInitializing") reason = `Init:${waiting.reason}`
    else reason = `Init:${at}/${spec.initContainers?.length ?? 0}`
    break
  }

  if (!initializing || hasCondition(pod, "Initialized")) {
    restarts = sidecarRestarts
    lastRestart = lastSidecarRestart
    let running = false
    let failure = ""
    for (const container of (status.containerStatuses ?? []).toReversed()) {
      restarts += container.restartCount
      lastRestart = later(lastRestart, container)
      const { terminated, waiting, running: runs } = container.state ?? {}
      if (waiting?.reason) reason = waiting.reason
      else if (terminated) {
        reason = endText(terminated)
        if (terminated.exitCode !== 0) failure = reason
      } else if (container.ready && runs) {
        running = true
        ready++
      }
    }
    if (reason === "Completed") {
      if (running && hasCondition(pod, "Ready")) reason = "Running"
      else if (failure) reason = failure
      else if (running) reason = "NotReady"
    }
  }

  if (pod.metadata.deletionTimestamp) {
    if (status.reason === "NodeLost") reason = "Unknown"
    else if (status.phase !== "Succeeded" && status.phase !== "Failed") reason = "Terminating"
  }
  return { ready, total, reason, restarts, lastRestartMs: lastRestart }
}

function gatesText(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? []
  if (gates.length === 0) return "<none>"
  const met = gates.filter(
    (gate) => pod.status.conditions?.find((c) => c.type === gate.conditionType)?.status === "True",
  )
  return `${met.length}/${gates.length}`
}

export const podColumns: readonly Column<Pod>[] = [
  text("Ready", (pod) => {
    const { ready, total } = summarize(pod)
    return `${ready}/${total}`
  }),
  text("Status", (pod) => summarize(pod).reason),
  text("Restarts", (pod, nowMs) => {
    const { restarts, lastRestartMs } = summarize(pod)
    if (restarts === 0 || lastRestartMs === undefined) return String(restarts)
    return `${restarts} (${since(new Date(lastRestartMs).toISOString(), nowMs)} ago)`
  }),
  age,
  wide("IP", (pod) => pod.status.podIPs?.[0]?.ip || "<none>"),
  wide("Node", (pod) => pod.spec.nodeName || "<none>"),
  wide("Nominated Node", (pod) => pod.status.nominatedNodeName || "<none>"),
  wide("Readiness Gates", gatesText),
]
