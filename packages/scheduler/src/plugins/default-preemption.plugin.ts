/**
 * Says how preemption would fare: it evicts nobody yet, and tells for how many nodes that could not help anyway.
 * Mirrors: plugins/defaultpreemption
 */
import { fitMessage } from "../cycle.ts"
import { definePlugin } from "../framework/plugin.ts"
import { NodeStatuses, unresolvable, unschedulable } from "../framework/status.ts"

const notHelpful = unresolvable("Preemption is not helpful for scheduling")
const noVictims = unresolvable("No preemption victims found for incoming pod")

export const defaultPreemption = definePlugin({
  name: "DefaultPreemption",
  create: () => ({
    postFilter({ snapshot }, pod, statuses) {
      if (pod.spec.preemptionPolicy === "Never")
        return { status: unschedulable("preemption: not eligible due to preemptionPolicy=Never.") }
      const outcomes = new NodeStatuses()
      outcomes.absent = notHelpful
      for (const node of statuses.nodesWith("Unschedulable", snapshot)) outcomes.set(node.name, noVictims)
      const diagnosis = {
        total: snapshot.nodes.length,
        statuses: outcomes,
        unschedulablePlugins: new Set<string>(),
        pendingPlugins: new Set<string>(),
        evaluated: 0,
      }
      return { status: unschedulable(`preemption: ${fitMessage(diagnosis)}`), nominatedNode: "" }
    },
  }),
})
