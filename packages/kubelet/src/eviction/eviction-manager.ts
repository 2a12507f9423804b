/**
 * Ends pods before the machine runs out of memory, disk or processes: those that use more than they asked for first,
 * one at a time, and only when what nobody needs (dead containers, unused images) is gone and did not help.
 * Mirrors: pkg/kubelet/eviction/eviction_manager.go
 */
import type { Pod } from "@knarr/api"
import { Quantity } from "@knarr/apimachinery"
import { messageOf, type Env, type Scope } from "@knarr/base"
import type { EventRecorder } from "@knarr/client"
import { isPodTerminal, podRequests, tolerates } from "@knarr/pod-rules"
import type { FilesystemUse, NodeHost } from "../node/node-host.ts"
import type { NodePressure } from "../node/node-status.ts"
import { readPodUse, type PodUse } from "../node/pod-stats.ts"
import type { ContainerRuntime } from "../runtime/container-runtime.ts"
import { exceededLimit, limitsLocalStorage, type DiskUse } from "./local-storage.ts"
import { evictionMessage, rankPods, type UseOf } from "./rank.ts"
import {
  amountText,
  pressureOf,
  starvedResource,
  thresholdsMet,
  type EvictionSignal,
  type Observation,
  type Observations,
  type Threshold,
} from "./thresholds.ts"

export interface EvictionManagerOptions {
  readonly env: Env
  readonly scope: Scope
  readonly nodeName: string
  readonly host: NodeHost
  readonly runtime: ContainerRuntime
  readonly thresholds: readonly Threshold[]
  /** The pods that run here and are not being ended. */
  readonly pods: () => readonly Readonly<Pod>[]
  readonly evict: (
    podUid: string,
    options: { reason: string; message: string; gracePeriodSeconds: number },
  ) => void
  /** Whether nothing of an evicted pod is left that takes room. */
  readonly isReclaimed: (podUid: string) => boolean
  /** A pressure condition has come or gone. */
  readonly onPressure?: (pressure: NodePressure) => void
  readonly recorder?: EventRecorder
  /** The file system of images and containers' layers; undefined: the kubelet's own. */
  readonly imageFilesystem?: (signal: AbortSignal) => Promise<FilesystemUse | undefined>
  /** Frees disk without ending pods, in this order: dead containers, images that nobody uses. */
  readonly reclaimDisk?: readonly ((signal: AbortSignal) => Promise<void>)[]
  /** The disk that one of a pod's emptyDirs takes; without it their size limits are not checked. */
  readonly volumeBytes?: (pod: Readonly<Pod>, volume: string, signal: AbortSignal) => Promise<number>
  /** What a pod's logs and emptyDirs take of the kubelet's disk; without it only layers count. */
  readonly podFiles?: (pod: Readonly<Pod>, signal: AbortSignal) => Promise<DiskUse>
  /** How long a condition stays after the shortage is over; default 5 min. */
  readonly transitionMs?: number
  /** The longest grace period of a pod that a soft threshold ends; default 0 s. */
  readonly maxPodGraceSeconds?: number
  /** Default 10 s. */
  readonly periodMs?: number
}

export interface EvictionManager {
  readonly pressure: NodePressure
  /** Why a new pod must not start now, as its status says it; undefined: it may. */
  refusal(pod: Readonly<Pod>): { readonly reason: string; readonly message: string } | undefined
}

type Pressure = keyof NodePressure

const defaultTransitionMs = 5 * 60_000
const cleanupLimitMs = 30_000
const cleanupPollMs = 1000
const hardGraceSeconds = 1
const criticalPriority = 2_000_000_000

export function createEvictionManager(options: EvictionManagerOptions): EvictionManager {
  const manager = new Manager(options)
  options.scope.run("eviction", (signal) => manager.run(signal), { restart: true })
  return manager
}

class Manager implements EvictionManager {
  readonly #options: EvictionManagerOptions
  readonly #lastSeen = new Map<Pressure, number>()
  /** Thresholds that are met → since when. */
  #met = new Map<Threshold, number>()
  /** Those of them that are acted upon, until there is as much free as they want to be reclaimed. */
  #unresolved: readonly Threshold[] = []
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
      let evicted: readonly string[] = []
      try {
        evicted = await this.#look(signal)
      } catch (thrown) {
        signal.throwIfAborted()
        env.log.warn("Cannot check for resource shortage", { err: messageOf(thrown) })
      }
      if (evicted.length > 0) await this.#untilReclaimed(evicted, signal)
      else await env.clock.sleep(periodMs, signal)
    }
  }

  /** What an evicted pod took is free only when it is gone: nobody else must go for it meanwhile. */
  async #untilReclaimed(uids: readonly string[], signal: AbortSignal): Promise<void> {
    const { env, isReclaimed } = this.#options
    for (const start = env.clock.monotonic(); env.clock.monotonic() - start < cleanupLimitMs;) {
      await env.clock.sleep(cleanupPollMs, signal)
      if (uids.every(isReclaimed)) return
    }
    env.log.warn("Evicted pods are still not cleaned up", { uids: uids.join(" ") })
  }

  /** The pods that were ended. */
  async #look(signal: AbortSignal): Promise<readonly string[]> {
    const { thresholds } = this.#options
    const observations = await this.#observe(signal)
    const met = new Set([
      ...thresholdsMet(thresholds, observations, false),
      ...thresholdsMet(this.#unresolved, observations, true),
    ])
    const now = this.#options.env.clock.monotonic()
    this.#met = new Map([...met].map((threshold) => [threshold, this.#met.get(threshold) ?? now]))
    this.#setPressure(new Set([...met].map(({ signal: name }) => pressureOf(name))), now)
    const due = [...this.#met].filter(([{ graceMs }, sinceMs]) => now - sinceMs >= graceMs)
    this.#unresolved = due.map(([threshold]) => threshold)

    const exceeding = await this.#enforceLimits(signal)
    if (exceeding.length > 0) return exceeding
    // Memory first: the kernel does not wait.
    const rank = ({ signal: name }: Threshold): number => Number(name !== "memory.available")
    const [worst] = this.#unresolved.toSorted((a, b) => rank(a) - rank(b))
    if (!worst) return []
    const resource = starvedResource(worst.signal)
    this.#options.recorder?.event(
      this.#node(),
      "Warning",
      "EvictionThresholdMet",
      `Attempting to reclaim ${resource}`,
    )
    if (await this.#reclaim(worst.signal, signal)) return []
    const uid = await this.#evictOne(worst, observations, signal)
    return uid === undefined ? [] : [uid]
  }

  /** Frees what nobody needs, and says whether that was enough. */
  async #reclaim(name: EvictionSignal, signal: AbortSignal): Promise<boolean> {
    const { env, thresholds, reclaimDisk = [] } = this.#options
    if (pressureOf(name) !== "disk" || reclaimDisk.length === 0) return false
    // Layers and images are not on the kubelet's disk then.
    if (name.startsWith("nodefs") && (await this.#imageFilesystem(signal))) return false
    for (const reclaim of reclaimDisk) {
      try {
        await reclaim(signal)
      } catch (thrown) {
        signal.throwIfAborted()
        env.log.warn("Cannot free disk", { err: messageOf(thrown) })
      }
    }
    return thresholdsMet(thresholds, await this.#observe(signal), true).length === 0
  }

  /** Ends pods that have used more disk than their own limits say. */
  async #enforceLimits(signal: AbortSignal): Promise<readonly string[]> {
    const { runtime, pods, evict, recorder, volumeBytes } = this.#options
    const limited = pods().filter(
      (pod) => isLive(pod) && !isCritical(pod) && this.#ofPod(pod, () => limitsLocalStorage(pod), false),
    )
    if (limited.length === 0) return []
    const uses = await readPodUse(runtime, signal)
    const out: string[] = []
    for (const pod of limited) {
      const measure = async (_: Readonly<Pod>, volume: string): Promise<number> =>
        volumeBytes ? volumeBytes(pod, volume, signal) : 0
      try {
        const message = await exceededLimit(pod, useOfPod(uses, pod), measure)
        if (message === undefined) continue
        recorder?.event(pod, "Warning", "Evicted", message)
        evict(pod.metadata.uid, { reason: "Evicted", message, gracePeriodSeconds: hardGraceSeconds })
        out.push(pod.metadata.uid)
      } catch (thrown) {
        signal.throwIfAborted()
        this.#cannotMeasure(pod, thrown)
      }
    }
    return out
  }

  /** What cannot be measured of one pod must not let the others grow. */
  #cannotMeasure(pod: Readonly<Pod>, thrown: unknown): void {
    const { env } = this.#options
    env.log.warn("Cannot measure what a pod uses", { pod: pod.metadata.name, err: messageOf(thrown) })
  }

  #ofPod<T>(pod: Readonly<Pod>, fn: () => T, otherwise: T): T {
    try {
      return fn()
    } catch (thrown) {
      this.#cannotMeasure(pod, thrown)
      return otherwise
    }
  }

  async #observe(signal: AbortSignal): Promise<Observations> {
    const { host } = this.#options
    const out = new Map<EvictionSignal, Observation>()
    const memory = host.memory()
    out.set("memory.available", { capacity: memory.totalBytes, available: memory.availableBytes })
    const node = host.filesystem()
    const image = (await this.#imageFilesystem(signal)) ?? node
    for (const [name, use] of [
      ["nodefs", node],
      ["imagefs", image],
    ] as const) {
      out.set(`${name}.available`, { capacity: use.capacityBytes, available: use.availableBytes })
      out.set(`${name}.inodesFree`, { capacity: use.inodes, available: use.inodesFree })
    }
    const { count, max } = host.processes()
    out.set("pid.available", { capacity: max, available: max - count })
    return out
  }

  async #imageFilesystem(signal: AbortSignal): Promise<FilesystemUse | undefined> {
    try {
      return await this.#options.imageFilesystem?.(signal)
    } catch (thrown) {
      signal.throwIfAborted()
      // The runtime may be down; the kubelet's own disk is watched all the same.
      this.#options.env.log.debug("Cannot find the file system of images", { err: messageOf(thrown) })
      return undefined
    }
  }

  /** A condition stays for a while after the shortage is over. */
  #setPressure(seen: ReadonlySet<Pressure>, now: number): void {
    const { transitionMs = defaultTransitionMs } = this.#options
    const holds = (name: Pressure): boolean => {
      if (seen.has(name)) this.#lastSeen.set(name, now)
      const last = this.#lastSeen.get(name)
      return last !== undefined && now - last < transitionMs
    }
    const next = { memory: holds("memory"), disk: holds("disk"), pid: holds("pid") }
    const { memory, disk, pid } = this.pressure
    if (next.memory === memory && next.disk === disk && next.pid === pid) return
    this.pressure = next
    this.#options.onPressure?.(next)
  }

  async #evictOne(
    { signal: name, value, graceMs }: Threshold,
    observations: Observations,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { env, runtime, pods, evict, recorder, maxPodGraceSeconds = 0 } = this.#options
    const uses = await readPodUse(runtime, signal)
    const candidates = pods().filter((pod) =>
      this.#ofPod(pod, () => isLive(pod) && !isCritical(pod) && podRequests(pod) !== undefined, false),
    )
    const resource = starvedResource(name)
    const { capacity, available } = observations.get(name)!
    const shortage = {
      resource,
      threshold: amountText(value, capacity),
      available: Quantity.of(
        available,
        resource === "inodes" || resource === "pids" ? "DecimalSI" : "BinarySI",
      ).toString(),
    }
    const [pod] = rankPods(candidates, await this.#useOf(name, candidates, uses, signal), resource)
    if (!pod) {
      env.log.warn("No pod can be evicted", { resource })
      return undefined
    }
    const message = evictionMessage(pod, useOfPod(uses, pod), shortage)
    const { uid } = pod.metadata
    recorder?.event(pod, "Warning", "Evicted", message)
    const own = pod.spec.terminationGracePeriodSeconds ?? maxPodGraceSeconds
    const gracePeriodSeconds = graceMs === 0 ? hardGraceSeconds : Math.min(maxPodGraceSeconds, own)
    evict(uid, { reason: "Evicted", message, gracePeriodSeconds })
    return uid
  }

  /** What each pod takes of what is short: its files where they are on the disk that is meant. */
  async #useOf(
    name: EvictionSignal,
    pods: readonly Readonly<Pod>[],
    uses: readonly PodUse[],
    signal: AbortSignal,
  ): Promise<UseOf> {
    const { podFiles } = this.#options
    const ofRuntime = (read: (use: PodUse) => number): UseOf => {
      return (pod) => {
        const use = useOfPod(uses, pod)
        return use ? read(use) : 0
      }
    }
    if (name === "memory.available") return ofRuntime((use) => use.workingSetBytes)
    if (name === "pid.available") return ofRuntime((use) => use.processes)
    const isInodes = name.endsWith("inodesFree")
    const layers = ofRuntime((use) => (isInodes ? use.inodes : use.diskBytes))
    const split = (await this.#imageFilesystem(signal)) !== undefined
    if (split && name.startsWith("imagefs")) return layers
    const files = new Map<string, number>()
    if (podFiles)
      for (const pod of pods) {
        try {
          const { bytes, inodes } = await podFiles(pod, signal)
          files.set(pod.metadata.uid, isInodes ? inodes : bytes)
        } catch (thrown) {
          signal.throwIfAborted()
          this.#cannotMeasure(pod, thrown)
        }
      }
    return (pod) => (files.get(pod.metadata.uid) ?? 0) + (split ? 0 : layers(pod))
  }

  #node(): { apiVersion: string; kind: string; metadata: { name: string; uid: string } } {
    const name = this.#options.nodeName
    return { apiVersion: "v1", kind: "Node", metadata: { name, uid: name } }
  }
}

function isLive(pod: Readonly<Pod>): boolean {
  return !isPodTerminal(pod) && !pod.metadata.deletionTimestamp
}

function useOfPod(uses: readonly PodUse[], pod: Readonly<Pod>): PodUse | undefined {
  return uses.find(({ uid }) => uid === pod.metadata.uid)
}

/** Static pods, mirrors and what the system cannot do without. */
function isCritical(pod: Readonly<Pod>): boolean {
  const annotations = pod.metadata.annotations ?? {}
  if (annotations["kubernetes.io/config.mirror"] !== undefined) return true
  const source = annotations["kubernetes.io/config.source"]
  return (source !== undefined && source !== "api") || (pod.spec.priority ?? 0) >= criticalPriority
}
