/**
 * What the kubelet's server tells about use of resources: `/stats/summary`, `/metrics/resource`,
 * `/metrics/cadvisor`.
 * Mirrors: pkg/kubelet/server/stats/summary.go, pkg/kubelet/metrics/collectors/resource_metrics.go
 */
import { formatTime } from "@knarr/apimachinery"
import type { Env } from "@knarr/base"
import type { ContainerRuntime } from "../runtime/container-runtime.ts"
import type { ContainerStats, CpuUsage, MemoryUsage, NetworkUsage } from "../runtime/cri.gen.ts"
import type { MountedVolumeUsage, VolumeManager } from "../contract.ts"
import type { NodeHost } from "./node-host.ts"
import { MetricsText } from "./metrics-text.ts"
import { readPodUse, type PodUse } from "./pod-stats.ts"

export interface NodeStatsOptions {
  readonly env: Env
  readonly runtime: ContainerRuntime
  readonly host: NodeHost
  readonly nodeName: string
  readonly volumes: Pick<VolumeManager, "usage">
}

/** Fits the `KubeletServerDeps` of the same names. */
export interface NodeStats {
  statsSummary(onlyCpuAndMemory: boolean, signal: AbortSignal): Promise<unknown>
  resourceMetrics(signal: AbortSignal): Promise<string>
  containerMetrics(signal: AbortSignal): Promise<string>
}

export function createNodeStats(options: NodeStatsOptions): NodeStats {
  return new Stats(options)
}

interface CpuSample {
  readonly atMs: number
  readonly nanoSeconds: number
}

const shortestWindowMs = 500
const maxSamples = 4096

class Stats implements NodeStats {
  readonly #options: NodeStatsOptions
  readonly #startedMs: number
  /** To tell rates, which containerd does not always do. */
  readonly #samples = new Map<string, { readonly last: CpuSample; readonly rate: number | undefined }>()

  constructor(options: NodeStatsOptions) {
    this.#options = options
    this.#startedMs = options.env.clock.now()
  }

  async statsSummary(onlyCpuAndMemory: boolean, signal: AbortSignal): Promise<unknown> {
    const { env, runtime, host, nodeName, volumes } = this.#options
    const uses = await readPodUse(runtime, signal)
    const full = await Promise.all(uses.map(async ({ uid }) => (onlyCpuAndMemory ? [] : volumes.usage(uid))))
    const nowMs = env.clock.now()
    const time = timeText(nowMs)
    const memory = host.memory()
    const cpu = host.cpu()
    const disk = host.filesystem()
    const images = onlyCpuAndMemory ? undefined : await this.#imageBytes(signal)
    const processes = host.processes()
    return {
      node: {
        nodeName,
        startTime: timeText(this.#startedMs),
        cpu: {
          time,
          usageNanoCores: this.#rate("node", cpu.usageNanoSeconds, nowMs) ?? 0,
          usageCoreNanoSeconds: Math.round(cpu.usageNanoSeconds),
        },
        memory: {
          time,
          availableBytes: memory.availableBytes,
          usageBytes: memory.totalBytes - memory.availableBytes,
          workingSetBytes: memory.totalBytes - memory.availableBytes,
        },
        ...(onlyCpuAndMemory
          ? {}
          : {
              fs: { time, ...filesystem(disk), usedBytes: disk.capacityBytes - disk.availableBytes },
              runtime: {
                imageFs: { time, ...filesystem(disk), usedBytes: images ?? 0 },
                containerFs: { time, ...filesystem(disk), usedBytes: 0 },
              },
              rlimit: { time, maxpid: processes.max, curproc: processes.count },
            }),
      },
      pods: uses.map((use, i) => ({
        ...this.#podSummary(use, time, nowMs, onlyCpuAndMemory),
        ...(full[i]!.length > 0 ? { volume: full[i]!.map((one) => volumeSummary(one, time)) } : {}),
      })),
    }
  }

  async resourceMetrics(signal: AbortSignal): Promise<string> {
    const { runtime, host } = this.#options
    const uses = await readPodUse(runtime, signal)
    const memory = host.memory()
    const lines = new MetricsText("[STABLE] ")
    // What has ended uses nothing: a container without its use would make a collector doubt the whole pod.
    const containers = uses.flatMap((use) =>
      use.containers
        .filter(({ stats }) => stats.cpu?.usageCoreNanoSeconds && stats.memory?.workingSetBytes)
        .map((container) => ({ use, ...container })),
    )
    const now = this.#options.env.clock.now() * 1e6
    const running = new Set(containers.map(({ use }) => use))
    const of = (use: PodUse, container?: string): Record<string, string> => ({
      ...(container === undefined ? {} : { container }),
      namespace: use.namespace,
      pod: use.name,
    })
    lines.metric(
      "container_cpu_usage_seconds_total",
      "counter",
      "Cumulative cpu time consumed by the container in core-seconds",
    )
    for (const { use, name, stats } of containers)
      lines.sample(of(use, name), (stats.cpu?.usageCoreNanoSeconds?.value ?? 0) / 1e9, stats.cpu?.timestamp)
    lines.metric(
      "container_memory_working_set_bytes",
      "gauge",
      "Current working set of the container in bytes",
    )
    for (const { use, name, stats } of containers)
      lines.sample(of(use, name), stats.memory?.workingSetBytes?.value ?? 0, stats.memory?.timestamp)
    lines.metric(
      "container_start_time_seconds",
      "gauge",
      "Start time of the container since unix epoch in seconds",
    )
    for (const { use, name, startedMs } of containers)
      if (startedMs > 0) lines.sample(of(use, name), startedMs / 1000)
    lines.metric(
      "node_cpu_usage_seconds_total",
      "counter",
      "Cumulative cpu time consumed by the node in core-seconds",
    )
    lines.sample({}, host.cpu().usageNanoSeconds / 1e9, now)
    lines.metric("node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes")
    lines.sample({}, memory.totalBytes - memory.availableBytes, now)
    lines.metric(
      "pod_cpu_usage_seconds_total",
      "counter",
      "Cumulative cpu time consumed by the pod in core-seconds",
    )
    for (const use of running) lines.sample(of(use), use.cpuNanoSeconds / 1e9, now)
    lines.metric("pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes")
    for (const use of running) lines.sample(of(use), use.workingSetBytes, now)
    lines.metric(
      "resource_scrape_error",
      "gauge",
      "1 if there was an error while getting container metrics, 0 otherwise",
    )
    lines.sample({}, 0)
    return lines.text
  }

  async containerMetrics(signal: AbortSignal): Promise<string> {
    const uses = await readPodUse(this.#options.runtime, signal)
    const lines = new MetricsText("")
    const each = (read: (stats: ContainerStats) => number | undefined): void => {
      for (const use of uses)
        for (const { name, stats } of use.containers) {
          const value = read(stats)
          if (value === undefined) continue
          const labels = {
            container: name,
            id: stats.attributes?.id ?? "",
            namespace: use.namespace,
            pod: use.name,
          }
          lines.sample(labels, value)
        }
    }
    lines.metric("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.")
    each((stats) => (stats.cpu?.usageCoreNanoSeconds?.value ?? 0) / 1e9)
    lines.metric(
      "container_memory_usage_bytes",
      "gauge",
      "Current memory usage in bytes, including all memory regardless of when it was accessed",
    )
    each((stats) => stats.memory?.usageBytes?.value)
    lines.metric("container_memory_working_set_bytes", "gauge", "Current working set in bytes.")
    each((stats) => stats.memory?.workingSetBytes?.value)
    lines.metric("container_memory_rss", "gauge", "Size of RSS in bytes.")
    each((stats) => stats.memory?.rssBytes?.value)
    lines.metric(
      "container_fs_usage_bytes",
      "gauge",
      "Number of bytes that are consumed by the container on this filesystem.",
    )
    each((stats) => stats.writableLayer?.usedBytes?.value)
    return lines.text
  }

  #podSummary(use: PodUse, time: string | null, nowMs: number, onlyCpuAndMemory: boolean): object {
    const { uid, name, namespace, sandbox } = use
    const linux = sandbox?.linux
    const network = linux?.network
    return {
      podRef: { name, namespace, uid },
      startTime: timeText(use.startedMs),
      containers: use.containers.map(({ name: container, stats, startedMs }) => ({
        name: container,
        startTime: timeText(startedMs),
        ...this.#usage(stats.attributes?.id ?? `${uid}/${container}`, stats.cpu, stats.memory, time, nowMs),
        ...(onlyCpuAndMemory || !stats.writableLayer
          ? {}
          : {
              rootfs: {
                time,
                ...filesystem(this.#options.host.filesystem()),
                usedBytes: stats.writableLayer.usedBytes?.value ?? 0,
                inodesUsed: stats.writableLayer.inodesUsed?.value ?? 0,
              },
            }),
      })),
      cpu: {
        time,
        usageNanoCores: this.#rate(uid, use.cpuNanoSeconds, nowMs) ?? use.cpuNanoCores ?? 0,
        usageCoreNanoSeconds: use.cpuNanoSeconds,
      },
      memory: {
        time,
        workingSetBytes: use.workingSetBytes,
        usageBytes: linux?.memory?.usageBytes?.value ?? use.workingSetBytes,
      },
      ...(onlyCpuAndMemory || !network ? {} : { network: networkSummary(network, time) }),
      ...(onlyCpuAndMemory || !linux?.process
        ? {}
        : { process_stats: { process_count: linux.process.processCount?.value ?? 0 } }),
      ...(onlyCpuAndMemory ? {} : { "ephemeral-storage": { time, usedBytes: use.diskBytes } }),
    }
  }

  #usage(
    key: string,
    cpu: CpuUsage | undefined,
    memory: MemoryUsage | undefined,
    time: string | null,
    nowMs: number,
  ): object {
    const nanoSeconds = cpu?.usageCoreNanoSeconds?.value ?? 0
    return {
      cpu: {
        time,
        usageNanoCores: this.#rate(key, nanoSeconds, nowMs) ?? cpu?.usageNanoCores?.value ?? 0,
        usageCoreNanoSeconds: nanoSeconds,
      },
      memory: {
        time,
        workingSetBytes: memory?.workingSetBytes?.value ?? 0,
        usageBytes: memory?.usageBytes?.value ?? 0,
        rssBytes: memory?.rssBytes?.value ?? 0,
        pageFaults: memory?.pageFaults?.value ?? 0,
        majorPageFaults: memory?.majorPageFaults?.value ?? 0,
      },
    }
  }

  /** Nanocores since the last look; undefined at the first one. */
  #rate(key: string, nanoSeconds: number, atMs: number): number | undefined {
    const known = this.#samples.get(key)
    if (known && atMs - known.last.atMs < shortestWindowMs) return known.rate
    const rate =
      known && nanoSeconds >= known.last.nanoSeconds
        ? Math.round((nanoSeconds - known.last.nanoSeconds) / ((atMs - known.last.atMs) / 1000))
        : undefined
    this.#samples.delete(key)
    if (this.#samples.size >= maxSamples) this.#samples.delete(this.#samples.keys().next().value!)
    this.#samples.set(key, { last: { atMs, nanoSeconds }, rate })
    return rate
  }

  async #imageBytes(signal: AbortSignal): Promise<number | undefined> {
    const { imageFilesystems } = await this.#options.runtime.imageFsInfo({}, { signal })
    return imageFilesystems[0]?.usedBytes?.value
  }
}

function timeText(ms: number): string | null {
  return ms > 0 ? formatTime(ms) : null
}

function filesystem(disk: Omit<ReturnType<NodeHost["filesystem"]>, "device">): object {
  return {
    availableBytes: disk.availableBytes,
    capacityBytes: disk.capacityBytes,
    inodesFree: disk.inodesFree,
    inodes: disk.inodes,
    inodesUsed: disk.inodes - disk.inodesFree,
  }
}

function volumeSummary(volume: MountedVolumeUsage, time: string | null): object {
  const { name, claim, usedBytes } = volume
  return { time, ...filesystem(volume), usedBytes, name, ...(claim ? { pvcRef: claim } : {}) }
}

function networkSummary({ defaultInterface, interfaces }: NetworkUsage, time: string | null): object {
  const all = [...(defaultInterface ? [defaultInterface] : []), ...interfaces].map((one) => ({
    name: one.name,
    rxBytes: one.rxBytes?.value ?? 0,
    rxErrors: one.rxErrors?.value ?? 0,
    txBytes: one.txBytes?.value ?? 0,
    txErrors: one.txErrors?.value ?? 0,
  }))
  return { time, ...all[0], interfaces: all }
}
