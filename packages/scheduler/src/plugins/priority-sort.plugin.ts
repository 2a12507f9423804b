/** Pods come by priority, then by how long they wait. Mirrors: plugins/queuesort */
import { definePlugin } from "../framework/plugin.ts"

export const prioritySort = definePlugin({
  name: "PrioritySort",
  create: () => ({
    less(a, b) {
      const [first, second] = [a.pod.spec.priority ?? 0, b.pod.spec.priority ?? 0]
      return first > second || (first === second && a.timestampMs < b.timestampMs)
    },
  }),
})
