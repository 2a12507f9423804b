/** No nodes on which a host port of the pod is taken. Mirrors: plugins/nodeports */
import type { Pod } from "@knarr/api"
import { hostPortsConflict, hostPortsOf, type HostPortUse } from "@knarr/pod-rules"
import { podInfoOf } from "../cache/node-info.ts"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { definePlugin } from "../framework/plugin.ts"
import { skip, unschedulable } from "../framework/status.ts"

const refusal = unschedulable("node(s) didn't have free ports for the requested pod ports")

const conflict = (wanted: readonly HostPortUse[], used: readonly HostPortUse[]): boolean =>
  used.some((one) => wanted.some((port) => hostPortsConflict(port, one)))

export const nodePorts = definePlugin({
  name: "NodePorts",
  create: () => ({
    eventsToRegister: () => [
      onEvent<Pod>("AssignedPod", ActionType.Delete, (pod, old) =>
        conflict(hostPortsOf(pod.spec), hostPortsOf(old!.spec)) ? "Queue" : "QueueSkip",
      ),
      onEvent("Node", ActionType.Add),
    ],
    preFilter: (_state, pod) => (podInfoOf(pod).hostPorts.length > 0 ? undefined : skip),
    filter(_state, pod, node) {
      const wanted = podInfoOf(pod).hostPorts
      for (const { hostPorts } of node.pods.values()) if (conflict(wanted, hostPorts)) return refusal
      return undefined
    },
  }),
})
