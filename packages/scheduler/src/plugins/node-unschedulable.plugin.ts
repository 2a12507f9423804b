/** No cordoned nodes, unless the pod tolerates it. Mirrors: plugins/nodeunschedulable */
import type { Node, Pod } from "@knarr/api"
import { tolerates } from "@knarr/pod-rules"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { definePlugin } from "../framework/plugin.ts"
import { unresolvable } from "../framework/status.ts"

const refusal = unresolvable("node(s) were unschedulable")
const taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }

const toleratesIt = (pod: Readonly<Pod>): boolean =>
  pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint)) === true

export const nodeUnschedulable = definePlugin({
  name: "NodeUnschedulable",
  nothingToDoAt: ["preFilter"],
  create: () => ({
    eventsToRegister: () => [
      onEvent<Node>("Node", ActionType.Add | ActionType.UpdateNodeTaint, (_pod, old, now) =>
        !now!.spec.unschedulable && (!old || old.spec.unschedulable) ? "Queue" : "QueueSkip",
      ),
      onEvent<Pod>("TargetPod", ActionType.UpdatePodToleration, (_pod, _old, now) =>
        toleratesIt(now!) ? "Queue" : "QueueSkip",
      ),
    ],
    filter: (_state, pod, node) => (node.isUnschedulable && !toleratesIt(pod) ? refusal : undefined),
  }),
})
