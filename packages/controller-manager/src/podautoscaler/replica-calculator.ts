/**
 * How many replicas a measurement asks for. Pure.
 * Mirrors: pkg/controller/podautoscaler/replica_calculator.go, metrics/utilization.go
 */
import type { Pod } from "@knarr/api"
import { isConditionTrue } from "@knarr/apimachinery"
import {
  groupPods,
  requestsOf,
  type Patience,
  type PodGroups,
  type PodMetric,
  type PodMetrics,
} from "./pod-groups.ts"

/** By how much use may differ from its target before anything is done; 0.1 is a tenth. */
export interface Tolerances {
  readonly down: number
  readonly up: number
}

/** Measured of pods, with the pods that they are of. `metrics` is changed. */
export interface MeasuredPods {
  readonly pods: readonly Readonly<Pod>[]
  readonly metrics: PodMetrics
  readonly currentReplicas: number
  readonly tolerances: Tolerances
  readonly patience: Patience
  readonly nowMs: number
}

export interface Proposal {
  readonly replicas: number
  /** In thousandths, of one pod on average. */
  readonly usage: number
  /** In percent of what is requested. */
  readonly utilization?: number
}

const noPods = "no pods returned by selector while calculating replica count"
const noMetrics = "did not receive metrics for targeted pods (pods might be unready)"
const maxInt32 = 2 ** 31 - 1

/** For a target in percent of what pods request. Throws what keeps it from being told. */
export function replicasForUtilization(
  measured: MeasuredPods,
  target: { readonly resource: string; readonly container: string; readonly percent: number },
): Proposal {
  const { resource, container, percent } = target
  const groups = grouped(measured, resource)
  const requests = requestsOf(measured.pods, container, resource)
  const { ratio, utilization, usage } = utilizationOf(measured.metrics, requests, percent)
  const fallback = Math.max(100, percent)
  const replicas = proposed(measured, groups, ratio, {
    missing: (name) => Math.trunc(((requests.get(name) ?? 0) * fallback) / 100),
    ratio: (metrics) => utilizationOf(metrics, requests, percent).ratio,
  })
  return { replicas, usage, utilization }
}

/** For a target in thousandths of what is measured of each pod. `resource`: "" for what is none. */
export function replicasForUsage(measured: MeasuredPods, resource: string, target: number): Proposal {
  const groups = grouped(measured, resource)
  const { ratio, usage } = usageOf(measured.metrics, target)
  const replicas = proposed(measured, groups, ratio, {
    missing: () => target,
    ratio: (metrics) => usageOf(metrics, target).ratio,
  })
  return { replicas, usage }
}

/** For one number that all pods share. Throws when there are no pods. */
export function replicasForRatio(
  ratio: number,
  currentReplicas: number,
  tolerances: Tolerances,
  pods: readonly Readonly<Pod>[],
): number {
  // From zero there are no pods that count, and no use that could be near its target.
  if (currentReplicas === 0) return int32(Math.ceil(ratio))
  if (isWithin(tolerances, ratio)) return currentReplicas
  if (pods.length === 0) throw new Error(`unable to calculate ready pods: ${noPods}`)
  const ready = pods.filter(
    ({ status }) => status.phase === "Running" && isConditionTrue(status.conditions, "Ready"),
  )
  return int32(Math.ceil(ratio * ready.length))
}

/** For one number that is divided among all pods; `usage` and `target` in thousandths. */
export function replicasForAverage(
  usage: number,
  target: number,
  statusReplicas: number,
  tolerances: Tolerances,
): Proposal {
  const ratio = usage / (target * statusReplicas)
  const replicas = isWithin(tolerances, ratio) ? statusReplicas : int32(Math.ceil(usage / target))
  const isTooMuch = usage >= 2 ** 63
  return { replicas, usage: isTooMuch ? usage : Math.ceil(usage / statusReplicas) }
}

function isWithin({ down, up }: Tolerances, ratio: number): boolean {
  return 1 - down <= ratio && ratio <= 1 + up
}

function int32(replicas: number): number {
  return Math.min(replicas, maxInt32)
}

function grouped({ pods, metrics, patience, nowMs }: MeasuredPods, resource: string): PodGroups {
  if (pods.length === 0) throw new Error(noPods)
  const groups = groupPods(pods, metrics, resource, patience, nowMs)
  for (const name of [...groups.ignored, ...groups.unready]) metrics.delete(name)
  if (metrics.size === 0) throw new Error(noMetrics)
  return groups
}

/** Pods of which nothing is known are taken for what makes the change smaller, and never turn its direction. */
function proposed(
  { metrics, currentReplicas, tolerances }: MeasuredPods,
  { ready, unready, missing }: PodGroups,
  ratio: number,
  assume: { missing(name: string): number; ratio(metrics: PodMetrics): number },
): number {
  const growsWithUnready = unready.length > 0 && ratio > 1
  if (!growsWithUnready && missing.length === 0)
    return isWithin(tolerances, ratio) ? currentReplicas : Math.ceil(ratio * ready)
  const assumed = (value: number): PodMetric => ({ value, atMs: 0, windowMs: 0 })
  if (ratio < 1) for (const name of missing) metrics.set(name, assumed(assume.missing(name)))
  else if (ratio > 1) for (const name of missing) metrics.set(name, assumed(0))
  if (growsWithUnready) for (const name of unready) metrics.set(name, assumed(0))
  const again = assume.ratio(metrics)
  if (isWithin(tolerances, again) || (ratio < 1 && again > 1) || (ratio > 1 && again < 1))
    return currentReplicas
  const replicas = Math.ceil(again * metrics.size)
  const turns = (again < 1 && replicas > currentReplicas) || (again > 1 && replicas < currentReplicas)
  return turns ? currentReplicas : replicas
}

function utilizationOf(
  metrics: ReadonlyMap<string, PodMetric>,
  requests: ReadonlyMap<string, number>,
  percent: number,
): { readonly ratio: number; readonly utilization: number; readonly usage: number } {
  let used = 0
  let requested = 0
  let count = 0
  for (const [name, { value }] of metrics) {
    const request = requests.get(name)
    if (request === undefined) continue
    used += value
    requested += request
    count++
  }
  if (requested === 0) throw new Error("no metrics returned matched known pods")
  const utilization = Math.trunc((used * 100) / requested)
  return { ratio: utilization / percent, utilization, usage: Math.trunc(used / count) }
}

function usageOf(
  metrics: ReadonlyMap<string, PodMetric>,
  target: number,
): { readonly ratio: number; readonly usage: number } {
  let sum = 0
  for (const { value } of metrics.values()) sum += value
  const usage = Math.trunc(sum / metrics.size)
  return { ratio: usage / target, usage }
}
