/** Only the node that the pod names. Mirrors: plugins/nodename */
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { definePlugin } from "../framework/plugin.ts"
import { unresolvable } from "../framework/status.ts"

const refusal = unresolvable("node(s) didn't match the requested node name")

export const nodeName = definePlugin({
  name: "NodeName",
  nothingToDoAt: ["preFilter"],
  create: () => ({
    eventsToRegister: () => [onEvent("Node", ActionType.Add)],
    filter: (_state, { spec }, node) => (spec.nodeName && spec.nodeName !== node.name ? refusal : undefined),
  }),
})
