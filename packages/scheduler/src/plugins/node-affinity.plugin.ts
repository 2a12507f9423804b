/** The nodes that the pod's selector and affinity ask for. Mirrors: plugins/nodeaffinity */
import type { Node, NodeSelector } from "@knarr/api"
import { matchesNodeSelectorTerm, matchesRequiredNodeAffinity } from "@knarr/pod-rules"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { definePlugin, normalizeByMax } from "../framework/plugin.ts"
import { skip, unresolvable } from "../framework/status.ts"

const refusal = unresolvable("node(s) didn't match Pod's node affinity/selector")
const conflict = unresolvable("pod affinity terms conflict")

export const nodeAffinity = definePlugin({
  name: "NodeAffinity",
  weight: 2,
  create: () => ({
    eventsToRegister: () => [
      onEvent<Node>("Node", ActionType.Add | ActionType.UpdateNodeLabel, ({ spec }, old, now) =>
        matchesRequiredNodeAffinity(spec, now!) && !(old && matchesRequiredNodeAffinity(spec, old))
          ? "Queue"
          : "QueueSkip",
      ),
    ],
    preFilter(_state, { spec }) {
      const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
      if (!required && !spec.nodeSelector) return skip
      const names = required && namedNodes(required)
      return names?.size === 0 ? conflict : names
    },
    filter: (_state, { spec }, { node }) => (matchesRequiredNodeAffinity(spec, node) ? undefined : refusal),
    preScore: (_state, { spec }) =>
      spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.length ? undefined : skip,
    score(_state, pod, { node }) {
      let sum = 0
      for (const { weight, preference } of pod.spec.affinity!.nodeAffinity!
        .preferredDuringSchedulingIgnoredDuringExecution!) {
        if (matchesNodeSelectorTerm(preference, node)) sum += weight
      }
      return sum
    },
    normalizeScore: (_state, _pod, scores) => normalizeByMax(scores, false),
  }),
})

/** When every term names nodes (daemon sets' do), only those need to be looked at. */
function namedNodes({ nodeSelectorTerms }: NodeSelector): ReadonlySet<string> | undefined {
  if (nodeSelectorTerms.length === 0) return undefined
  const names = new Set<string>()
  for (const { matchFields = [] } of nodeSelectorTerms) {
    const [first, ...others] = matchFields
      .filter(({ key, operator }) => key === "metadata.name" && operator === "In")
      .map(({ values }) => new Set(values))
    if (!first) return undefined
    for (const name of others.reduce((both, other) => both.intersection(other), first)) names.add(name)
  }
  return names
}
