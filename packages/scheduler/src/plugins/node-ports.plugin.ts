/** No nodes on which a host port of the pod is taken. Mirrors: plugins/nodeports */
import { hostPortsConflict, type HostPortUse } from "@knarr/pod-rules"
import { podInfoOf } from "../cache/node-info.ts"
import { definePlugin } from "../framework.ts"

const refusal = { reasons: ["node(s) didn't have free ports for the requested pod ports"] }

export const nodePorts = definePlugin<readonly HostPortUse[]>({
  name: "NodePorts",
  events: ["pod deleted", "node added"],
  preFilter(pod) {
    const { hostPorts } = podInfoOf(pod)
    return hostPorts.length > 0 ? { state: hostPorts } : {}
  },
  filter(_pod, node, wanted) {
    for (const { hostPorts } of node.pods.values()) {
      if (hostPorts.some((used) => wanted.some((port) => hostPortsConflict(port, used)))) return refusal
    }
    return undefined
  },
})
