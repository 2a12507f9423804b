/**
 * Changes the resources of containers while they run.
 * Mirrors: pkg/kubelet/kuberuntime/kuberuntime_manager.go (doPodResizeAction)
 */
import type { Container, Pod, ResourceRequirements } from "@knarr/api"
import { deepEqual } from "@knarr/apimachinery"
import { amountOf, isSidecar } from "@knarr/pod-rules"
import { containerResources, podCgroupResources } from "./linux-resources.ts"
import type { ContainerToKill, PodActions } from "./plan.ts"
import { podCgroup } from "./pod-cgroup.ts"
import { latestContainer, type RuntimePod } from "./runtime-pod.ts"
import type { PodWorkerParts } from "./settings.ts"

/** Container id → what it was given. */
export type AppliedResources = Map<string, ResourceRequirements>

export interface Resize {
  readonly container: Readonly<Container>
  readonly containerId: string
  /** The container says that it must be started anew for this. */
  readonly restart: boolean
}

/** The running containers whose resources are not the wanted ones. New ones are noted as they are. */
export function planResize(pod: Readonly<Pod>, runtime: RuntimePod, applied: AppliedResources): Resize[] {
  const out: Resize[] = []
  for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(isSidecar)]) {
    const running = latestContainer(runtime, container.name)
    if (running?.state !== "running") continue
    const wanted = container.resources ?? {}
    const given = applied.get(running.id)
    if (!given) applied.set(running.id, wanted)
    else if (!deepEqual(given, wanted)) {
      const restart = (container.resizePolicy ?? []).some(
        ({ resourceName, restartPolicy }) =>
          restartPolicy === "RestartContainer" && changes(resourceName, given, wanted),
      )
      out.push({ container, containerId: running.id, restart })
    }
  }
  return out
}

function changes(name: string, given: ResourceRequirements, wanted: ResourceRequirements): boolean {
  return given.limits?.[name] !== wanted.limits?.[name] || given.requests?.[name] !== wanted.requests?.[name]
}

/** Adds the restarts to the plan. */
export function addRestarts(resizes: readonly Resize[], actions: PodActions): void {
  for (const { container, containerId, restart } of resizes) {
    if (!restart || actions.kill.some((other) => other.containerId === containerId)) continue
    const message = `Container ${container.name} resize requires restart`
    actions.kill.push({ container, containerId, message, reason: "" } satisfies ContainerToKill)
    const list = isSidecar(container) ? actions.startInit : actions.start
    if (!list.includes(container)) list.push(container)
  }
}

/** Gives running containers, then their pod, what they want now. */
export async function performResize(
  pod: Readonly<Pod>,
  resizes: readonly Resize[],
  applied: AppliedResources,
  parts: PodWorkerParts,
  signal: AbortSignal,
): Promise<void> {
  if (resizes.length === 0) return
  const { runtime, host, settings } = parts
  const cgroup = podCgroup(settings, pod)
  const wanted = podCgroupResources(pod, settings.cpuQuota)
  // Containers must not get more than their pod at any moment, and what shrinks has to shrink first.
  const open = { ...(wanted.cpuQuota === undefined ? {} : { cpuQuota: -1 }) }
  const more = raises(resizes, applied) && wanted.memoryLimit ? { memoryLimit: wanted.memoryLimit } : {}
  await host.setCgroup(cgroup, { ...open, ...more })
  for (const { container, containerId, restart } of resizes) {
    if (restart) continue
    const linux = containerResources(pod, container, settings)
    await runtime.updateContainerResources({ containerId, linux }, { signal })
    applied.set(containerId, container.resources ?? {})
  }
  await host.setCgroup(cgroup, wanted)
}

/** Whether no container gets less memory than it has. */
function raises(resizes: readonly Resize[], applied: AppliedResources): boolean {
  return resizes.every(({ container, containerId }) => {
    const before = applied.get(containerId)?.limits?.["memory"]
    const after = container.resources?.limits?.["memory"]
    return (
      before !== undefined && after !== undefined && amountOf("memory", after) >= amountOf("memory", before)
    )
  })
}
