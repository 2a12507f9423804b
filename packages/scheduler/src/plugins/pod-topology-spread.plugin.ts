/** Evenly over zones, nodes or any topology. Mirrors: plugins/podtopologyspread */
import type { Pod, TopologySpreadConstraint } from "@knarr/api"
import { labelRequirement, nothing, selectorFrom, selectorOf, type Selector } from "@knarr/apimachinery"
import { findUntoleratedTaint, matchesRequiredNodeAffinity } from "@knarr/pod-rules"
import type { NodeInfo } from "../cache/node-info.ts"
import { definePlugin, maxNodeScore, type Snapshot } from "../framework.ts"

interface Constraint {
  readonly topologyKey: string
  readonly maxSkew: number
  readonly minDomains: number
  readonly selector: Selector
  readonly honorAffinity: boolean
  readonly honorTaints: boolean
}
interface Spread extends Constraint {
  /** Topology value → matching pods there. */
  readonly counts: Map<string, number>
  readonly min: number
  /** The pod itself matches, and so adds one where it goes. */
  readonly self: number
}

const refusals = {
  skew: { reasons: ["node(s) didn't match pod topology spread constraints"] },
  label: {
    reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"],
    unresolvable: true,
  },
}

/** What upstream spreads by when the pod says nothing, if it belongs to a service or controller. */
const defaults: readonly { topologyKey: string; maxSkew: number }[] = [
  { topologyKey: "kubernetes.io/hostname", maxSkew: 3 },
  { topologyKey: "topology.kubernetes.io/zone", maxSkew: 5 },
]

export const podTopologySpread = definePlugin<
  readonly Spread[],
  { readonly spreads: readonly Spread[]; readonly isDefault: boolean }
>({
  name: "PodTopologySpread",
  weight: 2,
  events: [
    "pod added",
    "pod deleted",
    "pod labels changed",
    "node added",
    "node labels changed",
    "node taints changed",
  ],

  preFilter(pod, snapshot) {
    const constraints = constraintsOf(pod, "DoNotSchedule")
    if (constraints.length === 0) return {}
    const keys = constraints.map((constraint) => constraint.topologyKey)
    const eligible = snapshot.nodes.filter((node) => keys.every((key) => node.labels[key] !== undefined))
    return { state: constraints.map((constraint) => spreadOf(pod, constraint, eligible)) }
  },

  filter(_pod, node, spreads) {
    for (const spread of spreads) {
      const value = node.labels[spread.topologyKey]
      if (value === undefined) return refusals.label
      if ((spread.counts.get(value) ?? 0) + spread.self - spread.min > spread.maxSkew) return refusals.skew
    }
    return undefined
  },

  preScore(pod, _nodes, snapshot) {
    let constraints = constraintsOf(pod, "ScheduleAnyway")
    const isDefault = constraints.length === 0 && !pod.spec.topologySpreadConstraints?.length
    if (isDefault) {
      const selector = snapshot.defaultSelector(pod)
      if (!selector || selector.empty) return undefined
      constraints = defaults.map((one) => ({
        ...one,
        minDomains: 1,
        selector,
        honorAffinity: true,
        honorTaints: false,
      }))
    }
    if (constraints.length === 0) return undefined
    return { spreads: constraints.map((constraint) => spreadOf(pod, constraint, snapshot.nodes)), isDefault }
  },

  score(_pod, node, { spreads }) {
    let sum = 0
    for (const spread of spreads) {
      const value = node.labels[spread.topologyKey]
      if (value === undefined) continue
      // Topologies with many values say less about each: upstream's weight.
      const weight = Math.log(Math.max(spread.counts.size, 1) + 2)
      sum += (spread.counts.get(value) ?? 0) * weight + (spread.maxSkew - 1)
    }
    return Math.round(sum)
  },

  normalize(scores) {
    const min = Math.min(...scores)
    const max = Math.max(...scores)
    for (let i = 0; i < scores.length; i++)
      scores[i] = max === 0 ? maxNodeScore : Math.floor((maxNodeScore * (max + min - scores[i]!)) / max)
  },
})

function constraintsOf(pod: Readonly<Pod>, action: "DoNotSchedule" | "ScheduleAnyway"): Constraint[] {
  return (pod.spec.topologySpreadConstraints ?? [])
    .filter((constraint) => constraint.whenUnsatisfiable === action)
    .map((constraint) => ({
      topologyKey: constraint.topologyKey,
      maxSkew: constraint.maxSkew,
      minDomains: constraint.minDomains ?? 1,
      selector: selectorOfConstraint(pod, constraint),
      honorAffinity: constraint.nodeAffinityPolicy !== "Ignore",
      honorTaints: constraint.nodeTaintsPolicy === "Honor",
    }))
}

function selectorOfConstraint(pod: Readonly<Pod>, constraint: TopologySpreadConstraint): Selector {
  if (!constraint.labelSelector) return nothing
  const selector = selectorFrom(constraint.labelSelector)
  const own = (constraint.matchLabelKeys ?? []).flatMap((key) => {
    const value = pod.metadata.labels?.[key]
    return value === undefined ? [] : [labelRequirement(key, "in", [value])]
  })
  return own.length === 0 ? selector : selectorOf([...selector.requirements, ...own])
}

function spreadOf(pod: Readonly<Pod>, constraint: Constraint, nodes: Snapshot["nodes"]): Spread {
  const counts = new Map<string, number>()
  for (const node of nodes) {
    const value = node.labels[constraint.topologyKey]
    if (value === undefined || !isEligible(pod, constraint, node)) continue
    let matching = 0
    for (const { pod: other } of node.pods.values()) {
      if (other.metadata.deletionTimestamp || other.metadata.namespace !== pod.metadata.namespace) continue
      if (constraint.selector.matches(other.metadata.labels)) matching++
    }
    counts.set(value, (counts.get(value) ?? 0) + matching)
  }
  const min = counts.size < constraint.minDomains ? 0 : Math.min(...counts.values())
  const self = constraint.selector.matches(pod.metadata.labels) ? 1 : 0
  return { ...constraint, counts, min: Number.isFinite(min) ? min : 0, self }
}

/** Whether a node belongs to the topology as the pod sees it. */
function isEligible(pod: Readonly<Pod>, constraint: Constraint, node: NodeInfo): boolean {
  if (constraint.honorAffinity && !matchesRequiredNodeAffinity(pod.spec, node.node)) return false
  return !(
    constraint.honorTaints &&
    findUntoleratedTaint(node.node.spec.taints, pod.spec.tolerations, ["NoSchedule", "NoExecute"])
  )
}
