/** Only the node that the pod names. Mirrors: plugins/nodename */
import { definePlugin } from "../framework.ts"

const refusal = { reasons: ["node(s) didn't match the requested node name"], unresolvable: true }

export const nodeName = definePlugin({
  name: "NodeName",
  events: ["node added"],
  filter: (pod, node) => (pod.spec.nodeName && pod.spec.nodeName !== node.name ? refusal : undefined),
})
