/**
 * Which pods have used more disk than their own limits allow: of an emptyDir, of a container, of all together.
 * Mirrors: pkg/kubelet/eviction/eviction_manager.go (localStorageEviction)
 */
import { lstat, readdir } from "node:fs/promises"
import { join } from "node:path"
import type { Pod } from "@knarr/api"
import { amountOf, podLimits } from "@knarr/pod-rules"
import type { PodUse } from "../node/pod-stats.ts"

const resource = "ephemeral-storage"

/** Whether the pod has any limit that is checked here. */
export function limitsLocalStorage(pod: Readonly<Pod>): boolean {
  return limitedVolumes(pod).length > 0 || podLimits(pod)[resource] !== undefined
}

/** Why the pod must go; undefined: it may stay. `volumeBytes` is asked only for volumes that matter. */
export async function exceededLimit(
  pod: Readonly<Pod>,
  use: PodUse | undefined,
  volumeBytes: (pod: Readonly<Pod>, volume: string) => Promise<number>,
): Promise<string | undefined> {
  for (const { name, limit } of limitedVolumes(pod))
    if ((await volumeBytes(pod, name)) > amountOf(resource, limit))
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${limit}". `
  const total = podLimits(pod)[resource]
  if (total !== undefined) {
    let used = use?.diskBytes ?? 0
    for (const volume of pod.spec.volumes ?? [])
      if (volume.emptyDir && !volume.emptyDir.medium) used += await volumeBytes(pod, volume.name)
    const isLimited = pod.spec.containers.every((one) => one.resources?.limits?.[resource] !== undefined)
    if (isLimited && used > total)
      return `Pod ephemeral local storage usage exceeds the total limit of containers ${limitText(pod, total)}. `
  }
  for (const { name, stats } of use?.containers ?? []) {
    const limit = pod.spec.containers.find((container) => container.name === name)?.resources?.limits?.[
      resource
    ]
    if (limit !== undefined && (stats.writableLayer?.usedBytes?.value ?? 0) > amountOf(resource, limit))
      return `Container ${name} exceeded its local ephemeral storage limit "${limit}". `
  }
  return undefined
}

function limitedVolumes(pod: Readonly<Pod>): { readonly name: string; readonly limit: string }[] {
  return (pod.spec.volumes ?? []).flatMap(({ name, emptyDir }) => {
    const limit = emptyDir?.medium ? undefined : emptyDir?.sizeLimit
    return limit !== undefined && amountOf(resource, limit) > 0 ? [{ name, limit }] : []
  })
}

/** The limit as it was written, when one container has it all. */
function limitText(pod: Readonly<Pod>, total: number): string {
  const texts = pod.spec.containers.map((container) => container.resources?.limits?.[resource])
  return texts.length === 1 && texts[0] !== undefined ? texts[0] : String(total)
}

/** Measures what pods have on the kubelet's disk. */
export function createPodFiles({ rootDir, podLogsDir }: { rootDir: string; podLogsDir: string }): {
  volumeBytes(pod: Readonly<Pod>, volume: string, signal: AbortSignal): Promise<number>
  podFiles(pod: Readonly<Pod>, signal: AbortSignal): Promise<DiskUse>
} {
  const volumeDir = (pod: Readonly<Pod>, volume: string): string =>
    join(rootDir, "pods", pod.metadata.uid, "volumes", "kubernetes.io~empty-dir", volume)
  return {
    volumeBytes: async (pod, volume, signal) => (await diskUse(volumeDir(pod, volume), signal)).bytes,
    async podFiles(pod, signal) {
      const { namespace, name, uid } = pod.metadata
      const dirs = (pod.spec.volumes ?? [])
        .filter(({ emptyDir }) => emptyDir && !emptyDir.medium)
        .map((volume) => volumeDir(pod, volume.name))
      dirs.push(join(podLogsDir, `${namespace}_${name}_${uid}`))
      let [bytes, inodes] = [0, 0]
      for (const dir of dirs) {
        const use = await diskUse(dir, signal)
        bytes += use.bytes
        inodes += use.inodes
      }
      return { bytes, inodes }
    },
  }
}

export interface DiskUse {
  readonly bytes: number
  readonly inodes: number
}

const blockBytes = 512
const maxFiles = 100_000

/** What the files of a folder take; nothing when it is not there. Gives up counting at 100,000 files. */
export async function diskUse(dir: string, signal: AbortSignal): Promise<DiskUse> {
  let bytes = 0
  let files = 0
  const open = [dir]
  for (let folder = open.pop(); folder !== undefined && files < maxFiles; folder = open.pop()) {
    signal.throwIfAborted()
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      if (++files > maxFiles) break
      const path = join(folder, entry.name)
      if (entry.isDirectory()) open.push(path)
      else bytes += ((await lstat(path).catch(() => undefined))?.blocks ?? 0) * blockBytes
    }
  }
  return { bytes, inodes: files }
}
