/** The nodes that the pod's selector and affinity ask for. Mirrors: plugins/nodeaffinity */
import { matchesNodeSelectorTerm, matchesRequiredNodeAffinity } from "@knarr/pod-rules"
import { definePlugin, normalizeByMax } from "../framework.ts"

const refusal = { reasons: ["node(s) didn't match Pod's node affinity/selector"], unresolvable: true }

export const nodeAffinity = definePlugin<true, true>({
  name: "NodeAffinity",
  weight: 2,
  events: ["node added", "node labels changed", "pod itself changed"],
  preFilter(pod) {
    const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    if (!required && !pod.spec.nodeSelector) return {}
    // When every term names nodes (daemon sets do), only those need to be looked at.
    const names = new Set<string>()
    for (const term of required?.nodeSelectorTerms ?? []) {
      const byName = term.matchFields?.find(
        (field) => field.key === "metadata.name" && field.operator === "In",
      )
      if (!byName) return { state: true }
      for (const name of byName.values ?? []) names.add(name)
    }
    return required?.nodeSelectorTerms.length ? { state: true, nodeNames: names } : { state: true }
  },
  filter: (pod, { node }) => (matchesRequiredNodeAffinity(pod.spec, node) ? undefined : refusal),
  preScore: (pod) =>
    pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.length
      ? true
      : undefined,
  score(pod, { node }) {
    let sum = 0
    for (const { weight, preference } of pod.spec.affinity!.nodeAffinity!
      .preferredDuringSchedulingIgnoredDuringExecution!) {
      if (matchesNodeSelectorTerm(preference, node)) sum += weight
    }
    return sum
  },
  normalize: (scores) => normalizeByMax(scores, false),
})
