/** Nodes with room for the pod; rather those with much of it. Mirrors: plugins/noderesources/fit.go, least_allocated.go */
import type { Node, Pod } from "@knarr/api"
import { allocatableOf, podRequests, type Amounts } from "@knarr/pod-rules"
import { podInfoOf } from "../cache/node-info.ts"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { definePlugin, maxNodeScore } from "../framework/plugin.ts"
import { Status } from "../framework/status.ts"

export const nodeResourcesFit = definePlugin({
  name: "NodeResourcesFit",
  create: () => ({
    eventsToRegister: () => [
      onEvent("AssignedPod", ActionType.Delete),
      onEvent<Pod>("AssignedPod", ActionType.UpdatePodScaleDown, (pod, old, now) =>
        someLess(podRequests(pod), podRequests(now!), podRequests(old!)) ? "Queue" : "QueueSkip",
      ),
      onEvent("TargetPod", ActionType.UpdatePodScaleDown),
      onEvent<Node>("Node", ActionType.Add | ActionType.UpdateNodeAllocatable, (pod, old, now) =>
        couldFit(podRequests(pod), old && allocatableOf(old), allocatableOf(now!)) ? "Queue" : "QueueSkip",
      ),
    ],
    filter(_state, pod, node) {
      const { requests } = podInfoOf(pod)
      let reasons: string[] | undefined
      let never = false
      if (node.pods.size + 1 > (node.allocatable["pods"] ?? 0)) reasons = ["Too many pods"]
      for (const name in requests) {
        const wanted = requests[name]!
        const all = node.allocatable[name] ?? 0
        if (wanted === 0 || wanted <= all - (node.requested[name] ?? 0)) continue
        ;(reasons ??= []).push(`Insufficient ${name}`)
        if (wanted > all) never = true
      }
      return reasons && new Status(never ? "UnschedulableAndUnresolvable" : "Unschedulable", reasons)
    },
    score(_state, pod, node) {
      const { cpu, memory } = podInfoOf(pod).nonZero
      const scores = [
        free(node.allocatable["cpu"], node.nonZeroCpu + cpu),
        free(node.allocatable["memory"], node.nonZeroMemory + memory),
      ].filter((score) => score !== undefined)
      return scores.length > 0 ? Math.floor(scores.reduce((sum, score) => sum + score, 0) / scores.length) : 0
    },
  }),
})

function free(all: number | undefined, used: number): number | undefined {
  if (!all) return undefined
  return used > all ? 0 : Math.floor(((all - used) * maxNodeScore) / all)
}

/** Whether there is less now of something that is wanted. */
function someLess(wanted: Amounts, now: Amounts, old: Amounts): boolean {
  return Object.keys(wanted).some((name) => wanted[name]! > 0 && (now[name] ?? 0) < (old[name] ?? 0))
}

/** Whether an empty node could take it, and gives more than before. */
function couldFit(wanted: Amounts, old: Amounts | undefined, now: Amounts): boolean {
  if ((now["pods"] ?? 0) < 1) return false
  for (const name in wanted) if (wanted[name]! > (now[name] ?? 0)) return false
  return !old || someLess({ ...wanted, pods: 1 }, old, now)
}
