/** No nodes whose taints the pod does not tolerate; rather those with few soft ones. Mirrors: plugins/tainttoleration */
import type { Toleration } from "@knarr/api"
import { findUntoleratedTaint, tolerates } from "@knarr/pod-rules"
import { definePlugin, normalizeByMax } from "../framework.ts"

const refusal = { reasons: ["node(s) had untolerated taint(s)"], unresolvable: true }

export const taintToleration = definePlugin<void, readonly Toleration[]>({
  name: "TaintToleration",
  weight: 3,
  events: ["node added", "node taints changed"],
  filter: (pod, { node }) =>
    findUntoleratedTaint(node.spec.taints, pod.spec.tolerations, ["NoSchedule", "NoExecute"])
      ? refusal
      : undefined,
  preScore: (pod) =>
    (pod.spec.tolerations ?? []).filter(
      (toleration) => !toleration.effect || toleration.effect === "PreferNoSchedule",
    ),
  score(_pod, { node }, tolerations) {
    const soft = node.spec.taints?.filter((taint) => taint.effect === "PreferNoSchedule") ?? []
    return soft.filter((taint) => !tolerations.some((toleration) => tolerates(toleration, taint))).length
  },
  normalize: (scores) => normalizeByMax(scores, true),
})
