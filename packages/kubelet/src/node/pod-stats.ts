/** Use of resources by pods and containers, as the runtime tells it. */
import type { ContainerRuntime } from "../runtime/container-runtime.ts"
import type { ContainerStats, PodSandboxStats } from "../runtime/cri.gen.ts"
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel } from "../pod-worker/labels.ts"

/** One running pod. */
export interface PodUse {
  readonly uid: string
  readonly name: string
  readonly namespace: string
  readonly sandbox: PodSandboxStats | undefined
  readonly containers: readonly ContainerUse[]
  readonly cpuNanoCores: number | undefined
  readonly cpuNanoSeconds: number
  readonly workingSetBytes: number
  /** Written by containers to their own layers. */
  readonly diskBytes: number
}

export interface ContainerUse {
  readonly name: string
  readonly stats: ContainerStats
}

/** Asks the runtime for everything it knows. */
export async function readPodUse(runtime: ContainerRuntime, signal: AbortSignal): Promise<PodUse[]> {
  const [sandboxes, containers] = await Promise.all([
    runtime.listPodSandboxStats({}, { signal }).catch(() => ({ stats: [] as PodSandboxStats[] })),
    runtime.listContainerStats({}, { signal }),
  ])
  signal.throwIfAborted()
  const pods = new Map<string, { labels: Readonly<Record<string, string>>; containers: ContainerUse[] }>()
  for (const stats of containers.stats) {
    const labels = stats.attributes?.labels ?? {}
    const uid = labels[podUidLabel]
    const name = labels[containerNameLabel]
    if (!uid || !name) continue
    let pod = pods.get(uid)
    if (!pod) pods.set(uid, (pod = { labels, containers: [] }))
    // A container that has started again has one entry for each time.
    const older = pod.containers.findIndex((candidate) => candidate.name === name)
    if (older < 0) pod.containers.push({ name, stats })
    else if (attemptOf(stats) > attemptOf(pod.containers[older]!.stats)) pod.containers[older] = { name, stats }
  }
  return [...pods].map(([uid, pod]) => {
    const sandbox = sandboxes.stats.find((candidate) => candidate.attributes?.labels[podUidLabel] === uid)
    return podUse(uid, pod.labels, sandbox, pod.containers)
  })
}

function attemptOf(stats: ContainerStats): number {
  return stats.attributes?.metadata?.attempt ?? 0
}

function podUse(
  uid: string,
  labels: Readonly<Record<string, string>>,
  sandbox: PodSandboxStats | undefined,
  containers: readonly ContainerUse[],
): PodUse {
  const sum = (read: (stats: ContainerStats) => number | undefined): number =>
    containers.reduce((total, { stats }) => total + (read(stats) ?? 0), 0)
  const { cpu, memory } = sandbox?.linux ?? {}
  return {
    uid,
    name: labels[podNameLabel] ?? "",
    namespace: labels[podNamespaceLabel] ?? "",
    sandbox,
    containers,
    cpuNanoCores: cpu?.usageNanoCores?.value ?? sum((stats) => stats.cpu?.usageNanoCores?.value),
    cpuNanoSeconds:
      cpu?.usageCoreNanoSeconds?.value ?? sum((stats) => stats.cpu?.usageCoreNanoSeconds?.value),
    workingSetBytes: memory?.workingSetBytes?.value ?? sum((stats) => stats.memory?.workingSetBytes?.value),
    diskBytes: sum((stats) => stats.writableLayer?.usedBytes?.value),
  }
}

