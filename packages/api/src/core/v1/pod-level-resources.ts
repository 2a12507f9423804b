/** Resources of a pod as a whole, filled in from its containers. Mirrors: pkg/api/pod/util.go (DefaultPodLevelResources) */
import { compareQuantities, parseQuantity } from "@knarr/apimachinery"
import { sumContainers } from "./pod-resource-sums.ts"
import { isHugePages } from "./resources.validate.ts"
import type { PodSpec } from "./types.gen.ts"

function isPodLevel(name: string): boolean {
  return name === "cpu" || name === "memory" || isHugePages(name)
}

/** Completes `spec.resources` when it states anything. Only for pods, and only when they are created or resized. */
export function completePodLevelResources(spec: PodSpec): void {
  const own = spec.resources
  if (!own) return
  const limits = { ...own.limits }
  const requests = { ...own.requests }
  if (Object.keys(limits).length === 0 && Object.keys(requests).length === 0) return
  const limitSums = sumContainers(spec, "limits")
  for (const [name, sum] of limitSums)
    if (isHugePages(name) && requests[name] === undefined) limits[name] ??= sum.toString()
  for (const [name, sum] of sumContainers(spec, "requests"))
    if (isPodLevel(name) && !isHugePages(name)) requests[name] ??= sum.toString()
  for (const name in limits) if (isPodLevel(name)) requests[name] ??= limits[name]!
  const all = [...spec.containers, ...(spec.initContainers ?? [])]
  const stated = new Map<string, number>()
  for (const { resources } of all)
    for (const name in resources?.limits) stated.set(name, (stated.get(name) ?? 0) + 1)
  for (const name of Object.keys(requests)) {
    if (!isPodLevel(name) || limits[name] !== undefined) continue
    const sum = limitSums.get(name)
    if (!sum || stated.get(name) !== all.length) continue
    const request = parseQuantity(requests[name]!)
    limits[name] = (compareQuantities(request, sum) > 0 ? request : sum).toString()
  }
  if (Object.keys(limits).length > 0) own.limits = limits
  if (Object.keys(requests).length > 0) own.requests = requests
}
