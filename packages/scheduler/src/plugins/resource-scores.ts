/**
 * What is left of a node, or used of it, as a score.
 * Mirrors: plugins/noderesources/{resource_allocation,least_allocated,most_allocated,requested_to_capacity_ratio}.go
 */
import { field, type FieldError, type SchemaTable } from "@knarr/apimachinery"
import type { NodeInfo, PodInfo } from "../cache/node-info.ts"
import { maxNodeScore } from "../framework/plugin.ts"

export interface ResourceSpec {
  readonly name: string
  /** 0 and undefined are 1. */
  readonly weight?: number | undefined
}

/** How good it is when so much, in percent, is used: 0…10; between two points it is a line. */
export interface ShapePoint {
  readonly utilization: number
  readonly score: number
}

export interface ScoringStrategy {
  readonly type: string
  readonly resources: readonly ResourceSpec[]
  readonly requestedToCapacityRatio?: { readonly shape?: readonly ShapePoint[] | undefined } | undefined
}

export const defaultResources: readonly ResourceSpec[] = [
  { name: "cpu", weight: 1 },
  { name: "memory", weight: 1 },
]

export const strategyTypes = ["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"] as const

/** Rows that arguments with resources and shapes refer to. */
export const resourceTables: SchemaTable = {
  ResourceSpec: { name: "string", weight: "int64" },
  UtilizationShapePoint: { score: "int32", utilization: "int32" },
}

/** Those of `given`, each with a weight; the default when there are none. */
export function completeResources(given: readonly ResourceSpec[] | undefined): readonly ResourceSpec[] {
  if (!given?.length) return defaultResources
  return given.map(({ name, weight }) => ({ name, weight: weight || 1 }))
}

/** Score of a shape's point → that of a node. */
const shapeScale = 10

/** From a percentage to a score of 0…100. */
function shapeFunction(shape: readonly ShapePoint[]): (percent: number) => number {
  const points = shape.map(({ utilization, score }) => ({ utilization, score: score * shapeScale }))
  return (percent) => {
    for (const [i, { utilization, score }] of points.entries()) {
      if (percent > utilization) continue
      const before = points[i - 1]
      if (!before) return score
      const rise = (score - before.score) * (percent - before.utilization)
      return before.score + Math.trunc(rise / (utilization - before.utilization))
    }
    return points.at(-1)!.score
  }
}

/** What is wrong with a shape. */
export function shapeErrors(shape: readonly ShapePoint[] | undefined, path: string): FieldError[] {
  if (!shape?.length) return [field.required(path, "at least one point must be specified")]
  const out: FieldError[] = []
  const unsorted = shape.findIndex((point, i) => i > 0 && shape[i - 1]!.utilization >= point.utilization)
  if (unsorted > 0)
    out.push(
      field.invalid(
        `${path}[${unsorted}].utilization`,
        shape[unsorted]!.utilization,
        "values must be sorted in increasing order",
      ),
    )
  for (const [i, { utilization, score }] of shape.entries()) {
    if (!(utilization >= 0 && utilization <= 100))
      out.push(field.invalid(`${path}[${i}].utilization`, utilization, "not in valid range [0, 100]"))
    if (!(score >= 0 && score <= 10))
      out.push(field.invalid(`${path}[${i}].score`, score, "not in valid range [0, 10]"))
  }
  return out
}

/** The score of a node with the pod on it. Called for every node. */
export function nodeScorer(strategy: ScoringStrategy): (pod: PodInfo, node: NodeInfo) => number {
  const { type, resources } = strategy
  const isRatio = type === "RequestedToCapacityRatio"
  const score = scoreOfUse(strategy)
  return (pod, node) => {
    let sum = 0
    let weights = 0
    for (const { name, weight = 1 } of resources) {
      const wanted = wantedOf(pod, name)
      if (wanted === 0 && isScalar(name)) continue
      const all = allocatableOn(node, name)
      if (all === 0) continue
      const one = score(usedOf(node, name) + wanted, all)
      if (isRatio && one <= 0) continue
      sum += one * weight
      weights += weight
    }
    if (weights === 0) return 0
    return isRatio ? Math.round(sum / weights) : Math.floor(sum / weights)
  }
}

function scoreOfUse({
  type,
  requestedToCapacityRatio,
}: ScoringStrategy): (used: number, all: number) => number {
  if (type === "MostAllocated") return (used, all) => Math.floor((Math.min(used, all) * maxNodeScore) / all)
  if (type === "LeastAllocated")
    return (used, all) => (used > all ? 0 : Math.floor(((all - used) * maxNodeScore) / all))
  return shapeScore(requestedToCapacityRatio?.shape ?? [])
}

/** From what is used of what is there to a score of 0…100. */
export function shapeScore(shape: readonly ShapePoint[]): (used: number, all: number) => number {
  const score = shapeFunction(shape)
  return (used, all) => score(all === 0 || used > all ? 100 : Math.floor((used * 100) / all))
}

function wantedOf({ nonZero, requests }: PodInfo, name: string): number {
  return name === "cpu" ? nonZero.cpu : name === "memory" ? nonZero.memory : (requests[name] ?? 0)
}

/** How much of it the node has; what every node has is read without a look-up. */
export function allocatableOn(node: NodeInfo, name: string): number {
  if (name === "cpu") return node.allocatableCpu
  return name === "memory" ? node.allocatableMemory : (node.allocatable[name] ?? 0)
}

/** How much of it its pods ask for. */
export function requestedOn(node: NodeInfo, name: string): number {
  if (name === "cpu") return node.requestedCpu
  return name === "memory" ? node.requestedMemory : (node.requested[name] ?? 0)
}

function usedOf(node: NodeInfo, name: string): number {
  if (name === "cpu") return node.nonZeroCpu
  return name === "memory" ? node.nonZeroMemory : (node.requested[name] ?? 0)
}

/** Of a resource that not every node has a pod that does not ask for it says nothing. */
export function isScalar(name: string): boolean {
  return name !== "cpu" && name !== "memory" && name !== "ephemeral-storage"
}
