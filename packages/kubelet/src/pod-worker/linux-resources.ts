/**
 * Requests and limits as the kernel takes them.
 * Mirrors: pkg/kubelet/cm/helpers_linux.go, pkg/kubelet/kuberuntime/kuberuntime_container_linux.go, pkg/kubelet/qos/policy.go
 */
import type { Container, Pod } from "@knarr/api"
import { amountOf, isSidecar, podLimits, podRequests } from "@knarr/pod-rules"
import type { RuntimeRequest } from "../runtime/container-runtime.ts"
import { qosClassOf } from "./qos.ts"

type CriResources = NonNullable<RuntimeRequest<"updateContainerResources">["linux"]>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const minShares = 2
const maxShares = 262_144
const sharesPerCpu = 1024
export const quotaPeriod = 100_000
const minQuota = 1000

export interface ResourceOptions {
  /** Enforce cpu limits; default true. */
  readonly cpuQuota: boolean
  /** Of the node, in bytes: what a memory request is measured against. 0: unknown. */
  readonly memoryCapacity: number
  /** How the kernel keeps a container out of swap; undefined: it has no means. */
  readonly swapControl?: "v1" | "v2" | undefined
}

function milliCpuToShares(milliCpu: number): number {
  if (milliCpu <= 0) return minShares
  return Math.min(Math.max(Math.floor((milliCpu * sharesPerCpu) / 1000), minShares), maxShares)
}

/** Microseconds per {@link quotaPeriod}; 0: no limit. */
function milliCpuToQuota(milliCpu: number): number {
  return milliCpu <= 0 ? 0 : Math.max(Math.floor((milliCpu * quotaPeriod) / 1000), minQuota)
}

/** cgroup v2's weight for v1's shares. */
export function sharesToWeight(shares: number): number {
  return Math.floor(((shares - 2) * 9999) / 262_142) + 1
}

export function containerResources(
  pod: Readonly<Pod>,
  container: Readonly<Container>,
  options: ResourceOptions,
): CriResources {
  const { requests, limits } = container.resources ?? {}
  const cpuLimit = limits?.["cpu"] === undefined ? 0 : amountOf("cpu", limits["cpu"])
  const cpuRequest = requests?.["cpu"] === undefined ? undefined : amountOf("cpu", requests["cpu"])
  // A limit alone is a request too.
  const shares = milliCpuToShares(cpuRequest ?? cpuLimit)
  const memory = limits?.["memory"] === undefined ? 0 : amountOf("memory", limits["memory"])
  const out: Mutable<CriResources> = {
    cpuShares: shares,
    memoryLimitInBytes: memory,
    oomScoreAdj: oomScoreAdj(pod, container, options.memoryCapacity),
  }
  if (options.cpuQuota) {
    out.cpuPeriod = quotaPeriod
    out.cpuQuota = milliCpuToQuota(cpuLimit)
  }
  // No container swaps. In version 1 the limit is that of memory and swap together.
  if (options.swapControl === "v1") out.memorySwapLimitInBytes = memory
  else if (options.swapControl === "v2") out.unified = { "memory.swap.max": "0" }
  const pages = Object.entries(limits ?? {}).filter(([name]) => name.startsWith("hugepages-"))
  if (pages.length > 0)
    out.hugepageLimits = pages.map(([name, quantity]) => ({
      pageSize: `${name.slice("hugepages-".length).replace("i", "")}B`,
      limit: amountOf(name, quantity),
    }))
  return out
}

const guaranteedScore = -997
const bestEffortScore = 1000
const systemNodeCritical = 2_000_001_000

/** How readily the kernel kills the container when memory runs out. */
export function oomScoreAdj(
  pod: Readonly<Pod>,
  container: Readonly<Container>,
  memoryCapacity: number,
): number {
  if ((pod.spec.priority ?? 0) >= systemNodeCritical) return guaranteedScore
  const qos = qosClassOf(pod)
  if (qos === "Guaranteed") return guaranteedScore
  if (qos === "BestEffort") return bestEffortScore
  const request = (of: Readonly<Container>): number => {
    const quantity = of.resources?.requests?.["memory"]
    return quantity === undefined ? 0 : amountOf("memory", quantity)
  }
  let asked = request(container)
  const podLevel = pod.spec.resources?.requests?.["memory"]
  if (podLevel !== undefined && asked === 0) {
    const given = pod.spec.containers.reduce((sum, of) => sum + request(of), 0)
    asked = Math.max(0, (amountOf("memory", podLevel) - given) / pod.spec.containers.length)
  }
  if (memoryCapacity <= 0) return bestEffortScore - 1
  let score = 1000 - Math.floor((1000 * asked) / memoryCapacity)
  if (pod.spec.initContainers?.some((of) => of.name === container.name && isSidecar(of))) {
    // A sidecar must not be killed before the containers that it serves.
    for (const of of pod.spec.containers)
      score = Math.min(score, 1000 - Math.floor((1000 * request(of)) / memoryCapacity))
  }
  // Stays apart from guaranteed and best-effort pods on either side.
  return Math.min(Math.max(score, 1000 + guaranteedScore), bestEffortScore - 1)
}

/** What the cgroup of a whole pod gets; undefined fields stay as the kernel has them. */
export interface CgroupResources {
  readonly cpuShares?: number
  /** Microseconds per {@link quotaPeriod}; -1: no limit. */
  readonly cpuQuota?: number
  readonly memoryLimit?: number
  readonly pidsLimit?: number
}

/** The pod's cgroup. A limit binds the pod only where each of its containers has one. */
export function podCgroupResources(pod: Readonly<Pod>, cpuQuota: boolean): CgroupResources {
  const qos = qosClassOf(pod)
  if (qos === "BestEffort") return { cpuShares: minShares }
  const requests = podRequests(pod)
  const limits = podLimits(pod)
  const everyHas = (name: string): boolean =>
    pod.spec.resources?.limits?.[name] !== undefined ||
    [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].every(
      (container) => container.resources?.limits?.[name] !== undefined,
    )
  const out: Mutable<CgroupResources> = {
    cpuShares: milliCpuToShares(requests["cpu"] ?? limits["cpu"] ?? 0),
  }
  if (everyHas("cpu")) out.cpuQuota = cpuQuota ? milliCpuToQuota(limits["cpu"] ?? 0) : -1
  if (everyHas("memory")) out.memoryLimit = limits["memory"] ?? 0
  return out
}

/** The shares of the cgroup over all burstable pods. */
export function burstableShares(pods: readonly Readonly<Pod>[]): number {
  return milliCpuToShares(pods.reduce((sum, pod) => sum + (podRequests(pod)["cpu"] ?? 0), 0))
}
