/** No cordoned nodes, unless the pod tolerates it. Mirrors: plugins/nodeunschedulable */
import { tolerates } from "@knarr/pod-rules"
import { definePlugin } from "../framework.ts"

const refusal = { reasons: ["node(s) were unschedulable"], unresolvable: true }
const taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }

export const nodeUnschedulable = definePlugin({
  name: "NodeUnschedulable",
  events: ["node added", "node taints changed"],
  filter(pod, { node }) {
    if (!node.spec.unschedulable || pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint)))
      return undefined
    return refusal
  },
})
