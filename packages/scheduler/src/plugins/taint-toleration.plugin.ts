/** No nodes whose taints the pod does not tolerate; rather those with few soft ones. Mirrors: plugins/tainttoleration */
import type { Node, Pod, Toleration } from "@knarr/api"
import { findUntoleratedTaint, tolerates } from "@knarr/pod-rules"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { stateKey } from "../framework/cycle-state.ts"
import { definePlugin, normalizeByMax } from "../framework/plugin.ts"
import { unresolvable } from "../framework/status.ts"

const refusal = unresolvable("node(s) had untolerated taint(s)")
const softTolerations = stateKey<readonly Toleration[]>("PreScoreTaintToleration")

const isUntolerated = ({ spec: { taints } }: Readonly<Node>, { spec }: Readonly<Pod>): boolean =>
  findUntoleratedTaint(taints, spec.tolerations, ["NoSchedule", "NoExecute"]) !== undefined

export const taintToleration = definePlugin({
  name: "TaintToleration",
  weight: 3,
  nothingToDoAt: ["preFilter"],
  create: () => ({
    eventsToRegister: () => [
      onEvent<Node>("Node", ActionType.Add | ActionType.UpdateNodeTaint, (pod, old, now) =>
        (!old || isUntolerated(old, pod)) && !isUntolerated(now!, pod) ? "Queue" : "QueueSkip",
      ),
      onEvent("TargetPod", ActionType.UpdatePodToleration),
    ],
    filter: (_state, pod, { node, taints }) => (taints && isUntolerated(node, pod) ? refusal : undefined),
    preScore(state, pod) {
      const soft = (pod.spec.tolerations ?? []).filter(
        (toleration) => !toleration.effect || toleration.effect === "PreferNoSchedule",
      )
      state.write(softTolerations, soft)
      return undefined
    },
    score(state, _pod, { taints }) {
      if (!taints) return 0
      const soft = taints.filter((taint) => taint.effect === "PreferNoSchedule")
      if (soft.length === 0) return 0
      const tolerations = state.read(softTolerations)
      return soft.filter((taint) => !tolerations.some((toleration) => tolerates(toleration, taint))).length
    },
    normalizeScore: (_state, _pod, scores) => normalizeByMax(scores, true),
  }),
})
