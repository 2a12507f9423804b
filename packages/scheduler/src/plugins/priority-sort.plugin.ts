/** Pods come by priority, then by how long they wait. Mirrors: plugins/queuesort */
import { priorityOf } from "../cache/node-info.ts"
import { definePlugin } from "../framework/plugin.ts"

export const prioritySort = definePlugin({
  name: "PrioritySort",
  create: () => ({
    less(a, b) {
      const [first, second] = [priorityOf(a.pod), priorityOf(b.pod)]
      return first > second || (first === second && a.timestampMs < b.timestampMs)
    },
  }),
})
