/** A pod's topology spread constraints, ready for counting. Mirrors: plugins/podtopologyspread/common.go */
import type { Node, Pod, TopologySpreadConstraint } from "@knarr/api"
import { labelRequirement, nothing, selectorFrom, selectorOf, type Selector } from "@knarr/apimachinery"
import { findUntoleratedTaint, matchesRequiredNodeAffinity } from "@knarr/pod-rules"
import type { NodeInfo } from "../cache/node-info.ts"

export interface SpreadConstraint {
  readonly topologyKey: string
  readonly maxSkew: number
  readonly minDomains: number
  readonly selector: Selector
  readonly honorAffinity: boolean
  readonly honorTaints: boolean
}

/** A constraint as the scheduler's configuration has it: of all pods that have none. */
export interface DefaultConstraint {
  readonly maxSkew: number
  readonly topologyKey: string
  readonly whenUnsatisfiable: string
  readonly minDomains?: number | undefined
  readonly nodeAffinityPolicy?: string | undefined
  readonly nodeTaintsPolicy?: string | undefined
}

/** Ready for counting what `selector` selects. */
export function constraintFrom(constraint: DefaultConstraint, selector: Selector): SpreadConstraint {
  return {
    topologyKey: constraint.topologyKey,
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    selector,
    honorAffinity: constraint.nodeAffinityPolicy !== "Ignore",
    honorTaints: constraint.nodeTaintsPolicy === "Honor",
  }
}

/** Those of the pod with this action. */
export function constraintsOf(
  pod: Readonly<Pod>,
  action: "DoNotSchedule" | "ScheduleAnyway",
): SpreadConstraint[] {
  return (pod.spec.topologySpreadConstraints ?? [])
    .filter((constraint) => constraint.whenUnsatisfiable === action)
    .map((constraint) => constraintFrom(constraint, selectorOfConstraint(pod, constraint)))
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

export function hasAllKeys(
  labels: Readonly<Record<string, string>> | undefined,
  constraints: readonly SpreadConstraint[],
): boolean {
  return constraints.every(({ topologyKey }) => labels?.[topologyKey] !== undefined)
}

/** Whether a node belongs to the topology as the pod sees it. */
export function isIncluded(pod: Readonly<Pod>, constraint: SpreadConstraint, node: Readonly<Node>): boolean {
  if (constraint.honorAffinity && !matchesRequiredNodeAffinity(pod.spec, node)) return false
  return !(
    constraint.honorTaints &&
    findUntoleratedTaint(node.spec.taints, pod.spec.tolerations, ["NoSchedule", "NoExecute"])
  )
}

/** The node's pods that the selector matches, of this namespace, and that stay. */
export function countMatching(node: NodeInfo, selector: Selector, namespace: string | undefined): number {
  if (selector.empty) return 0
  let count = 0
  for (const { pod } of node.pods.values()) {
    const { metadata } = pod
    if (metadata.deletionTimestamp || metadata.namespace !== namespace) continue
    if (selector.matches(metadata.labels)) count++
  }
  return count
}
