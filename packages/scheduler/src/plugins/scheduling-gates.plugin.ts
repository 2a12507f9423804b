/** Keeps pods with scheduling gates out of the queue. Mirrors: plugins/schedulinggates */
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { definePlugin } from "../framework/plugin.ts"
import { unresolvable } from "../framework/status.ts"

export const schedulingGates = definePlugin({
  name: "SchedulingGates",
  create: () => ({
    eventsToRegister: () => [onEvent("TargetPod", ActionType.UpdatePodSchedulingGatesEliminated)],
    preEnqueue({ spec: { schedulingGates: gates = [] } }) {
      if (gates.length === 0) return undefined
      const names = gates.map((gate) => gate.name).join(" ")
      return unresolvable(`waiting for scheduling gates: [${names}]`)
    },
  }),
})
