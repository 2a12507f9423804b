/**
 * Ends pods before the machine runs out of memory or disk: those that use more than they asked for first.
 * Mirrors: pkg/kubelet/eviction/eviction_manager.go, helpers.go
 */
import type { Pod } from "@knarr/api"
import { Quantity } from "@knarr/apimachinery"
import { messageOf, type Env, type Scope } from "@knarr/base"
import type { EventRecorder } from "@knarr/client"
import { amountOf, isPodTerminal, podRequests, tolerates } from "@knarr/pod-rules"
import type { NodeHost } from "../node/node-host.ts"
import { diskEvictionPart, memoryEvictionBytes, type NodePressure } from "../node/node-status.ts"
import { readPodUse, type PodUse } from "../node/pod-stats.ts"
import type { ContainerRuntime } from "../runtime/container-runtime.ts"
import { exceededLimit, limitsLocalStorage } from "./local-storage.ts"

export interface EvictionManagerOptions {
  readonly env: Env
  readonly scope: Scope
  readonly host: NodeHost
  readonly runtime: ContainerRuntime
  /** The pods that run here. */
  readonly pods: () => readonly Readonly<Pod>[]
  readonly evict: (
    podUid: string,
    options: { reason: string; message: string; gracePeriodSeconds: number },
  ) => void
  /** A pressure condition has come or gone. */
  readonly onPressure?: (pressure: NodePressure) => void
  readonly recorder?: EventRecorder
  /** Frees disk without ending pods, such as images that nobody uses: tried before a pod is ended. */
  readonly reclaimDisk?: (signal: AbortSignal) => Promise<void>
  /** The disk that one of a pod's emptyDirs takes; without it their size limits are not checked. */
  readonly volumeBytes?: (pod: Readonly<Pod>, volume: string, signal: AbortSignal) => Promise<number>
  /** Default 10 s. */
  readonly periodMs?: number
}

export interface EvictionManager {
  readonly pressure: NodePressure
  /** Why a new pod must not start now, as its status says it; undefined: it may. */
  refusal(pod: Readonly<Pod>): { readonly reason: string; readonly message: string } | undefined
}

type Signal = "memory" | "disk" | "pid"

interface Shortage {
  readonly resource: "memory" | "ephemeral-storage" | "pids"
  readonly threshold: string
  readonly available: string
}

const transitionMs = 5 * 60_000
const inodeEvictionPart = 0.05
const criticalPriority = 2_000_000_000

export function createEvictionManager(options: EvictionManagerOptions): EvictionManager {
  const manager = new Manager(options)
  options.scope.run("eviction", (signal) => manager.run(signal), { restart: true })
  return manager
}

class Manager implements EvictionManager {
  readonly #options: EvictionManagerOptions
  readonly #lastSeen = new Map<Signal, number>()
  pressure: NodePressure = { memory: false, disk: false, pid: false }

  constructor(options: EvictionManagerOptions) {
    this.#options = options
  }

  refusal(pod: Readonly<Pod>): { readonly reason: string; readonly message: string } | undefined {
    const { memory, disk, pid } = this.pressure
    if ((!memory && !disk && !pid) || isCritical(pod)) return undefined
    if (memory && !disk && !pid) {
      if (pod.status?.qosClass !== "BestEffort") return undefined
      const taint = { key: "node.kubernetes.io/memory-pressure", effect: "NoSchedule" }
      if (pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint))) return undefined
    }
    const active = [memory && "MemoryPressure", disk && "DiskPressure", pid && "PIDPressure"].filter(Boolean)
    return {
      reason: "Evicted",
      message: `The node had condition: [${active.join(" ")}]. `,
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { env, periodMs = 10_000 } = this.#options
    for (;;) {
      try {
        await this.#look(signal)
      } catch (thrown) {
        if (signal.aborted) return
        env.log.warn("Cannot check for resource shortage", { err: messageOf(thrown) })
      }
      await env.clock.sleep(periodMs, signal)
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const shortages = this.#shortages()
    this.#setPressure(shortages)
    await this.#enforceLimits(signal)
    // Memory first: the kernel does not wait.
    for (const name of ["memory", "disk", "pid"] as const) {
      const shortage = shortages.get(name)
      if (!shortage) continue
      this.#options.recorder?.event(
        this.#node(),
        "Warning",
        "EvictionThresholdMet",
        `Attempting to reclaim ${shortage.resource}`,
      )
      if (name === "disk" && this.#options.reclaimDisk) {
        await this.#options.reclaimDisk(signal)
        if (!this.#shortages().has("disk")) return
      }
      await this.#evictOne(shortage, signal)
      return
    }
  }

  /** Ends pods that have used more disk than their own limits say. */
  async #enforceLimits(signal: AbortSignal): Promise<void> {
    const { runtime, pods, evict, recorder, volumeBytes } = this.#options
    const limited = pods().filter((pod) => isLive(pod) && !isCritical(pod) && limitsLocalStorage(pod))
    if (limited.length === 0) return
    const uses = await readPodUse(runtime, signal)
    for (const pod of limited) {
      const measure = async (_: Readonly<Pod>, volume: string): Promise<number> =>
        volumeBytes ? volumeBytes(pod, volume, signal) : 0
      const message = await exceededLimit(pod, useOfPod(uses, pod), measure)
      if (message === undefined) continue
      recorder?.event(pod, "Warning", "Evicted", message)
      evict(pod.metadata.uid, { reason: "Evicted", message, gracePeriodSeconds: 1 })
    }
  }

  #shortages(): Map<Signal, Shortage> {
    const { host } = this.#options
    const out = new Map<Signal, Shortage>()
    const memory = host.memory()
    if (memory.totalBytes > 0 && memory.availableBytes < memoryEvictionBytes)
      out.set("memory", {
        resource: "memory",
        threshold: "100Mi",
        available: bytesText(memory.availableBytes),
      })
    const disk = host.filesystem()
    if (disk.availableBytes < disk.capacityBytes * diskEvictionPart)
      out.set("disk", {
        resource: "ephemeral-storage",
        threshold: bytesText(Math.floor(disk.capacityBytes * diskEvictionPart)),
        available: bytesText(disk.availableBytes),
      })
    else if (disk.inodes > 0 && disk.inodesFree < disk.inodes * inodeEvictionPart)
      out.set("disk", {
        resource: "ephemeral-storage",
        threshold: String(Math.floor(disk.inodes * inodeEvictionPart)),
        available: String(disk.inodesFree),
      })
    return out
  }

  /** A condition stays for a while after the shortage is over. */
  #setPressure(shortages: ReadonlyMap<Signal, Shortage>): void {
    const now = this.#options.env.clock.monotonic()
    const holds = (name: Signal): boolean => {
      if (shortages.has(name)) this.#lastSeen.set(name, now)
      const seen = this.#lastSeen.get(name)
      return seen !== undefined && now - seen < transitionMs
    }
    const next = { memory: holds("memory"), disk: holds("disk"), pid: holds("pid") }
    const { memory, disk, pid } = this.pressure
    if (next.memory === memory && next.disk === disk && next.pid === pid) return
    this.pressure = next
    this.#options.onPressure?.(next)
  }

  async #evictOne(shortage: Shortage, signal: AbortSignal): Promise<void> {
    const { runtime, pods, evict, recorder } = this.#options
    const uses = await readPodUse(runtime, signal)
    const candidates = pods().filter(isLive)
    for (const pod of rankPods(candidates, uses, shortage.resource)) {
      if (isCritical(pod)) continue
      const message = evictionMessage(pod, useOfPod(uses, pod), shortage)
      recorder?.event(pod, "Warning", "Evicted", message)
      return evict(pod.metadata.uid, { reason: "Evicted", message, gracePeriodSeconds: 0 })
    }
  }

  #node(): { apiVersion: string; kind: string; metadata: { name: string; uid: string } } {
    const name = this.#options.host.facts.hostname
    return { apiVersion: "v1", kind: "Node", metadata: { name, uid: name } }
  }
}

/** Whom to end first: those above what they asked for, then by priority, then by how far above. */
export function rankPods(
  pods: readonly Readonly<Pod>[],
  uses: readonly PodUse[],
  resource: Shortage["resource"],
): Readonly<Pod>[] {
  const rated = pods.map((pod) => {
    const used = usedBy(useOfPod(uses, pod), resource)
    const excess = used - requested(pod, resource)
    return { pod, excess, exceeds: excess > 0, priority: pod.spec.priority ?? 0 }
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
  { resource, threshold, available }: Shortage,
): string {
  let text = `The node was low on resource: ${resource}. Threshold quantity: ${threshold}, available: ${available}. `
  for (const { name, stats } of use?.containers ?? []) {
    const used =
      (resource === "memory" ? stats.memory?.workingSetBytes : stats.writableLayer?.usedBytes)?.value ?? 0
    const container = pod.spec.containers.find((candidate) => candidate.name === name)
    const request = container?.resources?.requests?.[resource] ?? "0"
    if (used > (request === "0" ? 0 : requestBytes(request)))
      text += `Container ${name} was using ${bytesText(used)}, request is ${request}, has larger consumption of ${resource}. `
  }
  return text
}

function isLive(pod: Readonly<Pod>): boolean {
  return !isPodTerminal(pod) && !pod.metadata.deletionTimestamp
}

function usedBy(use: PodUse | undefined, resource: Shortage["resource"]): number {
  if (!use) return 0
  return resource === "memory" ? use.workingSetBytes : use.diskBytes
}

function requested(pod: Readonly<Pod>, resource: Shortage["resource"]): number {
  return podRequests(pod)[resource] ?? 0
}

function requestBytes(text: string): number {
  return amountOf("memory", text)
}

function useOfPod(uses: readonly PodUse[], pod: Readonly<Pod>): PodUse | undefined {
  return uses.find(({ uid }) => uid === pod.metadata.uid)
}

function bytesText(bytes: number): string {
  return bytes % 1024 === 0 ? Quantity.of(bytes, "BinarySI").toString() : `${Math.floor(bytes / 1024)}Ki`
}

/** Static pods, mirrors and what the system cannot do without. */
function isCritical(pod: Readonly<Pod>): boolean {
  const annotations = pod.metadata.annotations ?? {}
  if (annotations["kubernetes.io/config.mirror"] !== undefined) return true
  const source = annotations["kubernetes.io/config.source"]
  return (source !== undefined && source !== "api") || (pod.spec.priority ?? 0) >= criticalPriority
}
