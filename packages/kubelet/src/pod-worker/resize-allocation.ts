/**
 * What a pod has been granted of what its spec asks for: changes of resources wait until the node has room.
 * Mirrors: pkg/kubelet/allocation/allocation_manager.go, pkg/kubelet/events/resize.go
 */
import type { Container, Pod, PodCondition, ResourceRequirements } from "@knarr/api"
import { formatTime, semanticEqual } from "@knarr/apimachinery"
import type { EventRecorder } from "@knarr/client"
import type { Refusal } from "./refusal.ts"

export interface ResizeOptions {
  readonly events: EventRecorder
  /** Why the node has no room for the pod in this form. */
  readonly refusal: (pod: Readonly<Pod>) => Refusal | undefined
  readonly nowMs: () => number
}

type Pending = "PodResizePending"
type InProgress = "PodResizeInProgress"

/** How long a resize that does not fit waits at most until it is looked at again. */
export const resizeRetryMs = 3 * 60_000

/** The resources of one pod's containers, as granted. */
export class ResizeAllocation {
  readonly #options: ResizeOptions
  #granted: Map<string, ResourceRequirements> | undefined
  #pending: PodCondition | undefined
  #inProgress: PodCondition | undefined
  #seen: Readonly<Pod> | undefined
  #current: Readonly<Pod> | undefined

  constructor(options: ResizeOptions) {
    this.#options = options
  }

  /** Whether a change waits for room. */
  get isPending(): boolean {
    return this.#pending !== undefined
  }

  /** What the status says of it. */
  get conditions(): readonly PodCondition[] {
    return [this.#pending, this.#inProgress].filter((condition) => condition !== undefined)
  }

  /** The pod with the resources that it has been granted. */
  granted(pod: Readonly<Pod>): Readonly<Pod> {
    this.#granted ??= initialGrant(pod)
    if (this.#seen !== pod || !this.#current) {
      this.#seen = pod
      this.#current = withResources(pod, this.#granted)
    }
    return this.#current
  }

  /** Grants what the pod asks for now, if there is room. */
  update(pod: Readonly<Pod>): void {
    if (this.granted(pod) === pod) {
      this.#pending = undefined
      return
    }
    const { events } = this.#options
    const generation = pod.metadata.generation ?? 0
    const refusal = this.#options.refusal(pod)
    if (refusal) {
      const reason = "Deferred"
      const before = this.#pending
      this.#pending = this.#condition("PodResizePending", generation, before, reason, refusal.message)
      if (before?.reason !== reason || before.observedGeneration !== generation)
        events.event(
          pod,
          "Warning",
          "ResizeDeferred",
          resizeText(`Pod resize ${reason}`, pod, generation, refusal.message),
        )
      return
    }
    this.#granted = resourcesOf(pod)
    this.#current = undefined
    this.#pending = undefined
    this.#inProgress = this.#condition("PodResizeInProgress", generation, undefined, "", "")
    events.event(pod, "Normal", "ResizeStarted", resizeText("Pod resize started", pod, generation, ""))
  }

  /** The containers have what was granted, or not yet; `problem`: why not. */
  actuated(pod: Readonly<Pod>, done: boolean, problem?: string): void {
    const { events } = this.#options
    const generation = this.#inProgress?.observedGeneration ?? pod.metadata.generation ?? 0
    if (problem !== undefined) {
      const before = this.#inProgress
      this.#inProgress = this.#condition("PodResizeInProgress", generation, before, "Error", problem)
      if (before?.message !== problem)
        events.event(pod, "Warning", "ResizeError", resizeText("Pod resize error", pod, generation, problem))
    } else if (!done) {
      this.#inProgress ??= this.#condition("PodResizeInProgress", generation, undefined, "", "")
    } else if (this.#inProgress) {
      this.#inProgress = undefined
      events.event(pod, "Normal", "ResizeCompleted", resizeText("Pod resize completed", pod, generation, ""))
    }
  }

  #condition(
    type: Pending | InProgress,
    observedGeneration: number,
    before: PodCondition | undefined,
    reason: string,
    message: string,
  ): PodCondition {
    const now = formatTime(this.#options.nowMs())
    return {
      type,
      status: "True",
      observedGeneration,
      lastProbeTime: before?.lastProbeTime ?? now,
      lastTransitionTime: before?.reason === reason ? before.lastTransitionTime : now,
      ...(reason ? { reason } : {}),
      ...(message ? { message } : {}),
    } as PodCondition
  }
}

function containersOf({ spec }: Readonly<Pod>): readonly Readonly<Container>[] {
  return [...(spec.initContainers ?? []), ...spec.containers]
}

function resourcesOf(pod: Readonly<Pod>): Map<string, ResourceRequirements> {
  return new Map(containersOf(pod).map(({ name, resources }) => [name, resources ?? {}]))
}

/** After a restart of the kubelet: of a pod whose change waited, what its containers were given. */
function initialGrant(pod: Readonly<Pod>): Map<string, ResourceRequirements> {
  const granted = resourcesOf(pod)
  const { conditions = [], containerStatuses = [], initContainerStatuses = [] } = pod.status
  if (!conditions.some(({ type }) => type === "PodResizePending")) return granted
  for (const { name, resources } of [...containerStatuses, ...initContainerStatuses])
    if (resources && granted.has(name)) granted.set(name, resources)
  return granted
}

/** The pod itself when it has just these resources. */
function withResources(
  pod: Readonly<Pod>,
  granted: ReadonlyMap<string, ResourceRequirements>,
): Readonly<Pod> {
  const differs = (container: Readonly<Container>): boolean =>
    granted.has(container.name) && !semanticEqual(container.resources ?? {}, granted.get(container.name)!)
  if (!containersOf(pod).some(differs)) return pod
  const give = (container: Container): Container =>
    differs(container) ? { ...container, resources: granted.get(container.name)! } : container
  const { initContainers, containers } = pod.spec
  return {
    ...pod,
    spec: {
      ...pod.spec,
      containers: containers.map(give),
      ...(initContainers ? { initContainers: initContainers.map(give) } : {}),
    },
  }
}

function resizeText(prefix: string, pod: Readonly<Pod>, generation: number, error: string): string {
  const of = ({ name, resources }: Readonly<Container>): object => ({ name, resources: resources ?? {} })
  const { initContainers = [], containers } = pod.spec
  const summary = {
    ...(initContainers.length > 0 ? { initContainers: initContainers.map(of) } : {}),
    containers: containers.map(of),
    generation,
    ...(error ? { error } : {}),
  }
  return `${prefix}: ${JSON.stringify(summary)}`
}
