/**
 * A folder that lives as long as the pod, on disk or in memory.
 * Mirrors: pkg/volume/emptydir/empty_dir.go
 */
import type { Pod } from "@knarr/api"
import { parseQuantity } from "@knarr/apimachinery"
import { defineVolume, fsGroupOf, memoryFolderMode, type VolumePlugin } from "../volume.ts"

export const emptyDirVolume: VolumePlugin = defineVolume({
  name: "kubernetes.io/empty-dir",
  canSupport: ({ volume }) => volume?.emptyDir !== undefined,
  async publish({ pod, spec, dir, metaDir, host, allocatable, signal }) {
    const { medium = "", sizeLimit, mode } = spec.volume!.emptyDir!
    let isNew: boolean
    if (medium === "") isNew = await host.makeDirectory(dir, mode ?? 0o777)
    else if (medium === "Memory") {
      const sizeBytes = tmpfsSize(pod, sizeLimit, allocatable["memory"])
      isNew = await host.mountTmpfs(dir, { sizeBytes, mode: mode ?? memoryFolderMode }, signal)
    } else if (medium.startsWith("HugePages"))
      throw new Error(`medium ${medium}: huge pages are not supported by this node`)
    else throw new Error(`unknown storage medium "${medium}"`)
    // What the pod has made of it since is the pod's own; what was never finished is not.
    if (isNew || !(await host.isReady(metaDir))) {
      await host.setOwnership(dir, { fsGroup: fsGroupOf(pod), readOnly: false, onRootMismatch: false })
      await host.setReady(metaDir)
    }
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

/** In bytes: the one that the medium names, or the only one that the pod asks for. Throws when it asks for none. */
export function hugePageSize(pod: Readonly<Pod>, medium: string): number {
  const wanted = medium.startsWith("HugePages-") ? bytes(medium.slice("HugePages-".length)) : undefined
  const asked = new Set<number>()
  const { containers, initContainers = [], resources } = pod.spec
  for (const requests of [resources, ...[...containers, ...initContainers].map((one) => one.resources)])
    for (const name of Object.keys(requests?.requests ?? {}))
      if (name.startsWith("hugepages-")) asked.add(bytes(name.slice("hugepages-".length)))
  if (wanted === undefined && asked.size > 1)
    throw new Error(`medium: ${medium} can't be used if container requests multiple huge page sizes`)
  const [size] = wanted === undefined ? asked : [wanted].filter((one) => asked.has(one))
  if (size === undefined)
    throw new Error(
      `medium ${medium}: hugePages storage requested, but there is no resource request for huge pages`,
    )
  return size
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
