/**
 * The statuses of a pod's containers, from what the runtime holds.
 * Mirrors: pkg/kubelet/kubelet_pods.go (convertToAPIContainerStatuses)
 */
import type { Container, ContainerState, ContainerStatus, Pod, ResourceRequirements } from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import { isSidecar } from "@knarr/pod-rules"
import type { ProbeResult } from "./plan.ts"
import { shouldBeStarted } from "./restart-policy.ts"
import type { RuntimeContainer, RuntimePod } from "./runtime-pod.ts"

/** Why a container was not started at the last try, by its name. */
export type StartFailures = ReadonlyMap<string, { readonly reason: string; readonly message: string }>

export interface ContainerStatusInput {
  readonly pod: Readonly<Pod>
  readonly runtime: RuntimePod
  readonly runtimeName: string
  readonly failures: StartFailures
  /** What running containers were given, by id; default: what the spec says. */
  readonly applied: ReadonlyMap<string, ResourceRequirements>
  readonly probe: ProbeResult
  /** Nothing of the pod runs any more, and nothing will. */
  readonly ended: boolean
}

export type ContainerGroup = "init" | "main" | "ephemeral"

const unknownReason = "ContainerStatusUnknown"
const killedExitCode = 137

/** One status per container of the group, in the order of the spec. `old` are the ones that were told last. */
export function containerStatuses(
  containers: readonly Readonly<Container>[],
  old: readonly ContainerStatus[] | undefined,
  group: ContainerGroup,
  input: ContainerStatusInput,
): ContainerStatus[] {
  return containers.map((container) =>
    statusOf(
      container,
      old?.find(({ name }) => name === container.name),
      group,
      input,
    ),
  )
}

function statusOf(
  container: Readonly<Container>,
  old: ContainerStatus | undefined,
  group: ContainerGroup,
  input: ContainerStatusInput,
): ContainerStatus {
  const { pod, runtime, failures } = input
  const found = runtime.containers.filter(({ name }) => name === container.name)
  const newest = found[0]
  const status: ContainerStatus = newest
    ? fromRuntime(container, newest, found[1], old, input)
    : missing(container, old, group, pod, input.ended)
  const regularInit = group === "init" && !isSidecar(container)
  const waits = regularInit
    ? failures.has(container.name) && initMayStart(newest)
    : shouldBeStarted(container, pod, runtime)
  const failure = failures.get(container.name)
  if (waits && failure && newest?.state !== "running") {
    if (status.state?.terminated) status.lastState = status.state
    status.state = {
      waiting: { reason: failure.reason, ...(failure.message ? { message: failure.message } : {}) },
    }
  }
  setProbed(status, container, newest, regularInit, input.probe, old)
  return status
}

function initMayStart(newest: RuntimeContainer | undefined): boolean {
  return newest?.state !== "running" && !(newest?.state === "exited" && newest.exitCode === 0)
}

function fromRuntime(
  container: Readonly<Container>,
  newest: RuntimeContainer,
  previous: RuntimeContainer | undefined,
  old: ContainerStatus | undefined,
  { runtimeName, applied }: ContainerStatusInput,
): ContainerStatus {
  const status: ContainerStatus = {
    name: container.name,
    image: newest.image || (container.image ?? ""),
    imageID: newest.imageRef,
    containerID: `${runtimeName}://${newest.id}`,
    ready: false,
    restartCount: newest.restartCount,
    state: stateOf(newest, runtimeName),
    lastState: previous?.state === "exited" ? stateOf(previous, runtimeName) : {},
    resources: resourcesOf(applied.get(newest.id) ?? container.resources),
  }
  if (newest.restartCount > 0 && !previous && old?.lastState?.terminated) status.lastState = old.lastState
  if (container.resources?.requests) status.allocatedResources = { ...container.resources.requests }
  if (container.volumeMounts?.length)
    status.volumeMounts = container.volumeMounts.map(({ name, mountPath, readOnly }) => ({
      name,
      mountPath,
      ...(readOnly
        ? {
            readOnly,
            recursiveReadOnly: newest.recursiveReadOnly.includes(mountPath) ? "Enabled" : "Disabled",
          }
        : {}),
    }))
  const user = newest.user?.linux
  if (user)
    status.user = {
      linux: {
        uid: user.uid,
        gid: user.gid,
        ...(user.supplementalGroups.length > 0 ? { supplementalGroups: user.supplementalGroups } : {}),
      },
    }
  if (newest.stopSignal !== "" && newest.stopSignal !== "SIGNAL_RUNTIME_DEFAULT")
    status.stopSignal = newest.stopSignal
      .replace(/^SIGNAL_/, "")
      .replace("PLUS", "+")
      .replace("MINUS", "-")
  return status
}

function resourcesOf(of: Readonly<ResourceRequirements> | undefined): ResourceRequirements {
  const { limits, requests } = of ?? {}
  return { ...(limits ? { limits: { ...limits } } : {}), ...(requests ? { requests: { ...requests } } : {}) }
}

function stateOf(container: RuntimeContainer, runtimeName: string): ContainerState {
  switch (container.state) {
    case "running":
      return { running: { startedAt: formatTime(container.startedAtMs) } }
    case "exited":
      return {
        terminated: {
          exitCode: container.exitCode,
          reason: container.reason || (container.exitCode === 0 ? "Completed" : "Error"),
          ...(container.message ? { message: container.message } : {}),
          // A container that never ran has no beginning.
          startedAt: formatTime(Math.max(container.startedAtMs, 0)),
          finishedAt: formatTime(container.finishedAtMs),
          containerID: `${runtimeName}://${container.id}`,
        },
      }
    default:
      return { waiting: {} }
  }
}

/** Of a container that the runtime does not have: never made yet, or lost. */
function missing(
  container: Readonly<Container>,
  old: ContainerStatus | undefined,
  group: ContainerGroup,
  pod: Readonly<Pod>,
  ended: boolean,
): ContainerStatus {
  // What has ended may be removed from the runtime at any time; how it ended stays true.
  const stays = group !== "main" || pod.metadata.deletionTimestamp !== undefined || ended
  if (old?.state?.terminated && stays) return { ...old }
  const afterInit = (pod.spec.initContainers?.length ?? 0) > 0
  const status: ContainerStatus = {
    name: container.name,
    image: container.image ?? "",
    imageID: "",
    ready: false,
    restartCount: old?.restartCount ?? 0,
    state: { waiting: { reason: afterInit ? "PodInitializing" : "ContainerCreating" } },
    lastState: old?.lastState ?? {},
  }
  const wasThere = old?.state?.running ?? old?.state?.terminated
  if (!wasThere || !old) return status
  status.lastState = old.state?.terminated
    ? { terminated: old.state.terminated }
    : {
        terminated: {
          reason: unknownReason,
          message:
            "The container could not be located when the pod was deleted.  The container used to be Running",
          exitCode: killedExitCode,
          ...(old.containerID ? { containerID: old.containerID } : {}),
        },
      }
  if (old.state?.running && !pod.metadata.deletionTimestamp) status.restartCount = old.restartCount + 1
  return status
}

function setProbed(
  status: ContainerStatus,
  container: Readonly<Container>,
  newest: RuntimeContainer | undefined,
  regularInit: boolean,
  probe: ProbeResult,
  old: ContainerStatus | undefined,
): void {
  const running = newest?.state === "running" && status.state?.running !== undefined
  // After a restart of the kubelet nothing is known yet: what was told of this very container holds until then.
  const same = old?.containerID !== undefined && old.containerID === status.containerID
  const passed = (type: "startup" | "readiness", before: boolean | undefined): boolean =>
    probe(container.name, newest!.id, type) ?? (same && before === true)
  const started = running && (!container.startupProbe || passed("startup", old?.started))
  status.started = started
  if (regularInit) status.ready = status.state?.terminated?.exitCode === 0
  else status.ready = started && (!container.readinessProbe || passed("readiness", old?.ready))
}

/**
 * At the end of a pod nothing may be left open: what cannot be found is taken to have failed. Init containers
 * count only as far as there is a sign that they were begun.
 */
export function closeStatuses(
  statuses: readonly ContainerStatus[],
  which: "all" | "begun",
): ContainerStatus[] {
  const lastBegun = statuses.findLastIndex(
    ({ state, lastState }) => state?.running ?? state?.terminated ?? lastState?.terminated,
  )
  return statuses.map((status, i) => {
    if (status.state?.terminated || (which === "begun" && i > lastBegun)) return status
    return {
      ...status,
      ready: false,
      started: false,
      state: {
        terminated: {
          reason: unknownReason,
          message: "The container could not be located when the pod was terminated",
          exitCode: killedExitCode,
        },
      },
    }
  })
}
