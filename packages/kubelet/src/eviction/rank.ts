/**
 * Whom to end first, and what to say of it.
 * Mirrors: pkg/kubelet/eviction/helpers.go (rankMemoryPressure, rankDiskPressureFunc, rankPIDPressure, evictionMessage)
 */
import type { Pod } from "@knarr/api"
import { Quantity } from "@knarr/apimachinery"
import { amountOf as quantityOf, podRequests } from "@knarr/pod-rules"
import type { PodUse } from "../node/pod-stats.ts"
import type { StarvedResource } from "./thresholds.ts"

/** What a pod takes of the resource that is short. */
export type UseOf = (pod: Readonly<Pod>) => number

/** Those above what they asked for, then by priority, then by how far above. Processes are not asked for. */
export function rankPods(
  pods: readonly Readonly<Pod>[],
  useOf: UseOf,
  resource: StarvedResource,
): Readonly<Pod>[] {
  const asks = resource === "memory" || resource === "ephemeral-storage"
  const rated = pods.map((pod) => {
    const excess = useOf(pod) - (asks ? (podRequests(pod)[resource] ?? 0) : 0)
    const exceeds = resource !== "pids" && excess > 0
    return { pod, excess, exceeds, priority: pod.spec.priority ?? 0 }
  })
  rated.sort(
    (a, b) => Number(b.exceeds) - Number(a.exceeds) || a.priority - b.priority || b.excess - a.excess,
  )
  return rated.map(({ pod }) => pod)
}

/** The text of the status and the event. */
export function evictionMessage(
  pod: Readonly<Pod>,
  use: PodUse | undefined,
  shortage: { readonly resource: StarvedResource; readonly threshold: string; readonly available: string },
): string {
  const { resource, threshold, available } = shortage
  let text = `The node was low on resource: ${resource}. Threshold quantity: ${threshold}, available: ${available}. `
  const podRequest = pod.spec.resources?.requests?.[resource]
  if (resource === "memory" && podRequest !== undefined && use)
    text += `Pod ${pod.metadata.name} was using ${bytesText(use.workingSetBytes)}, request is ${podRequest}, has larger consumption of ${resource}. `
  if (resource !== "memory" && resource !== "ephemeral-storage") return text
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
  for (const { name, stats } of use?.containers ?? []) {
    const used =
      (resource === "memory" ? stats.memory?.workingSetBytes : stats.writableLayer?.usedBytes)?.value ?? 0
    const request = containers.find((one) => one.name === name)?.resources?.requests?.[resource] ?? "0"
    if (used > quantityOf(resource, request))
      text += `Container ${name} was using ${bytesText(used)}, request is ${request}, has larger consumption of ${resource}. `
  }
  return text
}

function bytesText(bytes: number): string {
  return Quantity.of(bytes, "BinarySI").toString()
}
