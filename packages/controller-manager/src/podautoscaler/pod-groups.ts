/**
 * Which of an autoscaler's pods count, and what they request. Pure.
 * Mirrors: pkg/controller/podautoscaler/replica_calculator.go (groupPods, calculateRequests)
 */
import type { Pod } from "@knarr/api"
import { findCondition, parseQuantity, parseTime } from "@knarr/apimachinery"
import { amountOf, isSidecar, podRequests } from "@knarr/pod-rules"

/** What one pod uses, or measures, in thousandths. */
export interface PodMetric {
  readonly value: number
  readonly atMs: number
  readonly windowMs: number
}

/** By the pod's name. */
export type PodMetrics = Map<string, PodMetric>

/** How long a pod is new, in milliseconds. */
export interface Patience {
  /** After its start use of CPU counts only when the pod was ready for a whole window. */
  readonly cpuInitializationMs: number
  /** A pod that got unready so soon after its start never was ready. */
  readonly initialReadinessMs: number
}

export interface PodGroups {
  readonly ready: number
  readonly unready: readonly string[]
  /** Without a measurement. */
  readonly missing: readonly string[]
  readonly ignored: readonly string[]
}

/** `resource`: only of CPU unready pods are told apart. */
export function groupPods(
  pods: readonly Readonly<Pod>[],
  metrics: ReadonlyMap<string, PodMetric>,
  resource: string,
  patience: Patience,
  nowMs: number,
): PodGroups {
  let ready = 0
  const unready: string[] = []
  const missing: string[] = []
  const ignored: string[] = []
  for (const pod of pods) {
    const { name, deletionTimestamp } = pod.metadata
    const metric = metrics.get(name)
    if (deletionTimestamp || pod.status.phase === "Failed") ignored.push(name)
    else if (pod.status.phase === "Pending") unready.push(name)
    else if (!metric) missing.push(name)
    else if (resource === "cpu" && isUnready(pod, metric, patience, nowMs)) unready.push(name)
    else ready++
  }
  return { ready, unready, missing, ignored }
}

function isUnready({ status }: Readonly<Pod>, metric: PodMetric, patience: Patience, nowMs: number): boolean {
  const condition = findCondition(status.conditions, "Ready")
  if (!condition || !status.startTime) return true
  const startedMs = parseTime(status.startTime)
  const changedMs = condition.lastTransitionTime ? parseTime(condition.lastTransitionTime) : -Infinity
  if (startedMs + patience.cpuInitializationMs > nowMs)
    return condition.status === "False" || metric.atMs < changedMs + metric.windowMs
  return condition.status === "False" && startedMs + patience.initialReadinessMs > changedMs
}

/**
 * What each pod requests of a resource, in thousandths; of one container when it is named. Throws when one requests
 * nothing.
 */
export function requestsOf(
  pods: readonly Readonly<Pod>[],
  container: string,
  resource: string,
): ReadonlyMap<string, number> {
  return new Map(
    pods.map((pod) => {
      const isPodLevel = container === "" && isSetForPod(pod)
      const request = isPodLevel ? podLevel(pod, resource) : ofContainers(pod, container, resource)
      return [pod.metadata.name, request]
    }),
  )
}

function isSetForPod({ spec }: Readonly<Pod>): boolean {
  return Object.keys(spec.resources?.requests ?? {}).some(
    (name) => name === "cpu" || name === "memory" || name.startsWith("hugepages-"),
  )
}

function podLevel(pod: Readonly<Pod>, resource: string): number {
  const amount = podRequests(pod)[resource]
  if (amount === undefined)
    throw new Error(`missing pod-level request for ${resource} in Pod ${pod.metadata.name}`)
  // An amount of what is counted in thousandths is one already.
  return amount * (1000 / amountOf(resource, "1"))
}

function ofContainers({ metadata, spec }: Readonly<Pod>, container: string, resource: string): number {
  let sum = 0
  for (const one of [...spec.containers, ...(spec.initContainers ?? []).filter(isSidecar)]) {
    if (container !== "" && container !== one.name) continue
    const request = one.resources?.requests?.[resource]
    if (request === undefined)
      throw new Error(`missing request for ${resource} in container ${one.name} of Pod ${metadata.name}`)
    sum += parseQuantity(request).milliValue()
    if (container === one.name) return sum
  }
  if (container !== "") throw new Error(`container ${container} not found in Pod ${metadata.name}`)
  return sum
}
