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
  /** Wall time in milliseconds; 0: unknown. */
  readonly startedMs: number
  readonly containers: readonly ContainerUse[]
  readonly cpuNanoCores: number | undefined
  readonly cpuNanoSeconds: number
  readonly workingSetBytes: number
  /** Written by containers to their own layers. */
  readonly diskBytes: number
  /** Files in those layers. */
  readonly inodes: number
  /** Of all containers together; 0 when the runtime does not count them. */
  readonly processes: number
}

export interface ContainerUse {
  readonly name: string
  /** Wall time in milliseconds; 0: unknown. */
  readonly startedMs: number
  readonly stats: ContainerStats
}

/** Asks the runtime for everything it knows. */
export async function readPodUse(runtime: ContainerRuntime, signal: AbortSignal): Promise<PodUse[]> {
  const [sandboxes, containers, listed, pausing] = await Promise.all([
    // Runtimes need not know it: then the containers' sums do.
    runtime.listPodSandboxStats({}, { signal }).catch(() => ({ stats: [] as PodSandboxStats[] })),
    runtime.listContainerStats({}, { signal }),
    runtime.listContainers({}, { signal }),
    runtime.listPodSandbox({}, { signal }),
  ])
  signal.throwIfAborted()
  const created = new Map<string, number>()
  for (const { id, createdAt } of [...listed.containers, ...pausing.items]) created.set(id, createdAt / 1e6)
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
    const use: ContainerUse = { name, stats, startedMs: created.get(stats.attributes?.id ?? "") ?? 0 }
    if (older < 0) pod.containers.push(use)
    else if (attemptOf(stats) > attemptOf(pod.containers[older]!.stats)) pod.containers[older] = use
  }
  return [...pods].map(([uid, pod]) => {
    const sandbox = sandboxes.stats.find((candidate) => candidate.attributes?.labels[podUidLabel] === uid)
    const first = Math.min(...pod.containers.map(({ startedMs }) => startedMs))
    const startedMs = created.get(sandbox?.attributes?.id ?? "") ?? first
    return podUse(uid, pod.labels, sandbox, pod.containers, startedMs)
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
  startedMs: number,
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
    startedMs,
    cpuNanoCores: cpu?.usageNanoCores?.value ?? sum((stats) => stats.cpu?.usageNanoCores?.value),
    cpuNanoSeconds:
      cpu?.usageCoreNanoSeconds?.value ?? sum((stats) => stats.cpu?.usageCoreNanoSeconds?.value),
    workingSetBytes: memory?.workingSetBytes?.value ?? sum((stats) => stats.memory?.workingSetBytes?.value),
    diskBytes: sum((stats) => stats.writableLayer?.usedBytes?.value),
    inodes: sum((stats) => stats.writableLayer?.inodesUsed?.value),
    processes: sandbox?.linux?.process?.processCount?.value ?? 0,
  }
}
