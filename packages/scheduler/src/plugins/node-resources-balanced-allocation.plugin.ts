/** Rather nodes whose cpu and memory are used alike. Mirrors: plugins/noderesources/balanced_allocation.go */
import { podInfoOf } from "../cache/node-info.ts"
import { definePlugin, maxNodeScore } from "../framework.ts"

export const nodeResourcesBalancedAllocation = definePlugin<void, true>({
  name: "NodeResourcesBalancedAllocation",
  events: [],
  // Best-effort pods add nothing to either side: they would all be drawn to one node.
  preScore(pod) {
    const { requests } = podInfoOf(pod)
    return requests["cpu"] || requests["memory"] ? true : undefined
  },
  score(pod, node) {
    const { requests } = podInfoOf(pod)
    const imbalance = (extra: boolean): number => {
      const fractions: number[] = []
      for (const name of ["cpu", "memory"]) {
        const all = node.allocatable[name]
        if (all)
          fractions.push(
            Math.min(((node.requested[name] ?? 0) + (extra ? (requests[name] ?? 0) : 0)) / all, 1),
          )
      }
      return fractions.length === 2 ? Math.abs(fractions[0]! - fractions[1]!) / 2 : 0
    }
    const withPod = (1 - imbalance(true)) * maxNodeScore
    const without = (1 - imbalance(false)) * maxNodeScore
    return Math.floor(maxNodeScore / 2 + (withPod - without) / 2)
  },
})
