/** Rather nodes whose resources are used alike. Mirrors: plugins/noderesources/balanced_allocation.go */
import { field } from "@knarr/apimachinery"
import { podInfoOf, type NodeInfo } from "../cache/node-info.ts"
import type { Amounts } from "@knarr/pod-rules"
import { definePlugin, maxNodeScore } from "../framework/plugin.ts"
import { skip } from "../framework/status.ts"
import {
  allocatableOn,
  completeResources,
  defaultResources,
  isScalar,
  requestedOn,
  resourceTables,
  type ResourceSpec,
} from "./resource-scores.ts"

export interface NodeResourcesBalancedAllocationArgs {
  /** Default: cpu and memory. All weigh the same. */
  readonly resources: readonly ResourceSpec[]
}

const nothing: Readonly<Amounts> = {}

export const nodeResourcesBalancedAllocation = definePlugin<NodeResourcesBalancedAllocationArgs>({
  name: "NodeResourcesBalancedAllocation",
  weight: 1,
  defaultArgs: { resources: defaultResources },
  argsTable: {
    ...resourceTables,
    NodeResourcesBalancedAllocationArgs: {
      apiVersion: "string",
      kind: "string",
      resources: "[]ResourceSpec",
    },
  },
  completeArgs: ({ resources }) => ({ resources: completeResources(resources) }),
  validateArgs({ resources }, path) {
    const at = field.child(path, "resources")
    const names = resources.map(({ name }) => name)
    return resources.flatMap(({ name, weight }, i) => [
      ...(names.indexOf(name) < i ? [field.duplicate(`${at}[${i}].name`, name)] : []),
      ...(weight === 1 ? [] : [field.invalid(`${at}[${i}].weight`, weight, "must be 1")]),
    ])
  },
  create(_handle, { resources }) {
    const names = resources.map(({ name }) => name)
    return {
      // Best-effort pods add nothing to either side: they would all be drawn to one node.
      preScore(_state, pod) {
        const { requests } = podInfoOf(pod)
        return names.some((name) => requests[name]) ? undefined : skip
      },
      score(_state, pod, node) {
        const { requests } = podInfoOf(pod)
        const withPod = balance(names, node, requests, requests)
        const without = balance(names, node, requests, nothing)
        return maxNodeScore / 2 + Math.floor((maxNodeScore / 2 + withPod - without) / 2)
      },
    }
  },
})

/** How alike the fractions are that are used with `extra` on the node, 50…100. What a pod of `wanted` does not ask for may not count. */
function balance(
  names: readonly string[],
  node: NodeInfo,
  wanted: Readonly<Amounts>,
  extra: Readonly<Amounts>,
): number {
  let count = 0
  let sum = 0
  let squares = 0
  let first = 0
  let second = 0
  for (const name of names) {
    const all = allocatableOn(node, name)
    if (all === 0 || (!wanted[name] && isScalar(name))) continue
    const fraction = Math.min((requestedOn(node, name) + (extra[name] ?? 0)) / all, 1)
    first = second
    second = fraction
    count++
    sum += fraction
    squares += fraction * fraction
  }
  let deviation = 0
  if (count === 2) deviation = Math.abs(first - second) / 2
  else if (count > 2) deviation = Math.sqrt(Math.max(squares / count - (sum / count) ** 2, 0))
  return Math.trunc((1 - deviation) * maxNodeScore)
}
