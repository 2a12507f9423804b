/** Keeps pods with scheduling gates out of the queue. Mirrors: plugins/schedulinggates */
import { definePlugin } from "../framework.ts"

export const schedulingGates = definePlugin({
  name: "SchedulingGates",
  events: ["pod itself changed"],
  preEnqueue(pod) {
    const gates = pod.spec.schedulingGates ?? []
    if (gates.length === 0) return undefined
    return `waiting for scheduling gates: [${gates.map((gate) => gate.name).join(" ")}]`
  },
})
