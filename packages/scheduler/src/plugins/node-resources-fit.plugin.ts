/** Nodes with room for the pod; rather those with much of it. Mirrors: plugins/noderesources/fit.go, least_allocated.go */
import type { Amounts } from "@knarr/pod-rules"
import { podInfoOf } from "../cache/node-info.ts"
import { definePlugin, maxNodeScore } from "../framework.ts"

export const nodeResourcesFit = definePlugin<Readonly<Amounts>>({
  name: "NodeResourcesFit",
  events: ["pod deleted", "node added", "node allocatable changed"],
  preFilter: (pod) => ({ state: podInfoOf(pod).requests }),
  filter(_pod, node, requests) {
    const reasons: string[] = []
    let never = false
    if (node.pods.size + 1 > (node.allocatable["pods"] ?? 0)) reasons.push("Too many pods")
    for (const name in requests) {
      const wanted = requests[name]!
      const all = node.allocatable[name] ?? 0
      if (wanted === 0 || wanted <= all - (node.requested[name] ?? 0)) continue
      reasons.push(`Insufficient ${name}`)
      if (wanted > all) never = true
    }
    return reasons.length > 0 ? { reasons, unresolvable: never } : undefined
  },
  score(pod, node) {
    const { cpu, memory } = podInfoOf(pod).nonZero
    const free = (all: number | undefined, used: number): number | undefined =>
      all ? (used > all ? 0 : Math.floor(((all - used) * maxNodeScore) / all)) : undefined
    const scores = [
      free(node.allocatable["cpu"], node.nonZeroCpu + cpu),
      free(node.allocatable["memory"], node.nonZeroMemory + memory),
    ]
    const known = scores.filter((score) => score !== undefined)
    return known.length > 0 ? Math.floor(known.reduce((sum, score) => sum + score, 0) / known.length) : 0
  },
})
