/**
 * A folder that lives as long as the pod, on disk or in memory.
 * Mirrors: pkg/volume/emptydir/empty_dir.go
 */
import type { Pod } from "@knarr/api"
import { parseQuantity } from "@knarr/apimachinery"
import { defineVolume, fsGroupOf, type VolumePlugin } from "../volume.ts"

export const emptyDirVolume: VolumePlugin = defineVolume({
  name: "kubernetes.io/empty-dir",
  source: "emptyDir",
  async mount({ pod, volume, dir, host, allocatable, signal }) {
    const { medium = "", sizeLimit, mode = 0o777 } = volume.emptyDir!
    let isNew: boolean
    if (medium === "") isNew = await host.makeDirectory(dir, mode)
    else if (medium === "Memory") {
      const sizeBytes = tmpfsSize(pod, sizeLimit, allocatable["memory"])
      isNew = await host.mountTmpfs(dir, { sizeBytes, mode }, signal)
    } else throw new Error(`unknown storage medium "${medium}"`)
    // What the pod has made of it since is the pod's own.
    if (isNew)
      await host.setOwnership(dir, { fsGroup: fsGroupOf(pod), readOnly: false, onRootMismatch: false })
    return { hostPath: dir, readOnly: false }
  },
})

/** The least of what the node has, what all containers together may use, and the volume's own limit. */
export function tmpfsSize(
  pod: Readonly<Pod>,
  sizeLimit: string | undefined,
  allocatableMemory: string | undefined,
): number | undefined {
  const bounds: number[] = []
  if (allocatableMemory !== undefined) bounds.push(bytes(allocatableMemory))
  const podLimit = memoryLimit(pod)
  if (podLimit > 0) bounds.push(podLimit)
  if (sizeLimit !== undefined && bytes(sizeLimit) > 0) bounds.push(bytes(sizeLimit))
  return bounds.length > 0 ? Math.min(...bounds) : undefined
}

/** The sum of the containers' limits; 0 when one of them has none. */
function memoryLimit(pod: Readonly<Pod>): number {
  const own = pod.spec.resources?.limits?.["memory"]
  if (own !== undefined) return bytes(own)
  let sum = 0
  for (const container of pod.spec.containers) {
    const limit = container.resources?.limits?.["memory"]
    if (limit === undefined) return 0
    sum += bytes(limit)
  }
  for (const container of pod.spec.initContainers ?? []) {
    if (container.restartPolicy !== "Always") continue
    const limit = container.resources?.limits?.["memory"]
    if (limit === undefined) return 0
    sum += bytes(limit)
  }
  return sum
}

function bytes(quantity: string): number {
  return Number(parseQuantity(quantity).value())
}
