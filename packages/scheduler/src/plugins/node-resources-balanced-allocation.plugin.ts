/** Rather nodes whose cpu and memory are used alike. Mirrors: plugins/noderesources/balanced_allocation.go */
import { podInfoOf, type NodeInfo } from "../cache/node-info.ts"
import type { Amounts } from "@knarr/pod-rules"
import { definePlugin, maxNodeScore } from "../framework/plugin.ts"
import { skip } from "../framework/status.ts"

export const nodeResourcesBalancedAllocation = definePlugin({
  name: "NodeResourcesBalancedAllocation",
  create: () => ({
    // Best-effort pods add nothing to either side: they would all be drawn to one node.
    preScore(_state, pod) {
      const { requests } = podInfoOf(pod)
      return requests["cpu"] || requests["memory"] ? undefined : skip
    },
    score(_state, pod, node) {
      const withPod = (1 - imbalance(node, podInfoOf(pod).requests)) * maxNodeScore
      const without = (1 - imbalance(node, {})) * maxNodeScore
      return Math.floor(maxNodeScore / 2 + (withPod - without) / 2)
    },
  }),
})

/** Half of how far apart the used fractions are with `extra` on the node. */
function imbalance({ allocatable, requested }: NodeInfo, extra: Readonly<Amounts>): number {
  const fraction = (name: string): number | undefined => {
    const all = allocatable[name]
    return all ? Math.min(((requested[name] ?? 0) + (extra[name] ?? 0)) / all, 1) : undefined
  }
  const [cpu, memory] = [fraction("cpu"), fraction("memory")]
  return cpu === undefined || memory === undefined ? 0 : Math.abs(cpu - memory) / 2
}
