/**
 * Near and far from other pods, by topology. Existing pods are counted once, by topology, in `preFilter` and
 * `preScore`; a node is judged by its labels. Mirrors: plugins/interpodaffinity
 */
import { namespace, type Node, type Pod } from "@knarr/api"
import { field } from "@knarr/apimachinery"
import { podInfoOf, type NodeInfo, type PodInfo } from "../cache/node-info.ts"
import { termsOf, type CompiledTerm, type NamespaceLabels } from "../framework/affinity-terms.ts"
import { ActionType, onEvent, type QueueingHint } from "../framework/cluster-event.ts"
import { stateKey, type CycleState } from "../framework/cycle-state.ts"
import { definePlugin, maxNodeScore } from "../framework/plugin.ts"
import { skip, unresolvable, unschedulable } from "../framework/status.ts"
import { TopologyCounts } from "./topology-counts.ts"

export interface InterPodAffinityArgs {
  /** Weight of existing pods' required affinity towards the new pod, 0…100. */
  readonly hardPodAffinityWeight: number
  /** Score by the new pod's own preferences only. */
  readonly ignorePreferredTermsOfExistingPods: boolean
}

interface FilterState {
  readonly pod: PodInfo
  /** Where existing pods do not want this one. */
  readonly refusedAt: TopologyCounts
  /** Where pods are that the pod wants to be near to: that match all of its terms. */
  readonly affinity: TopologyCounts
  readonly antiAffinity: TopologyCounts
}

const filterState = stateKey<FilterState>("PreFilterInterPodAffinity", (state) => ({
  pod: state.pod,
  refusedAt: state.refusedAt.clone(),
  affinity: state.affinity.clone(),
  antiAffinity: state.antiAffinity.clone(),
}))
const scoreState = stateKey<TopologyCounts>("PreScoreInterPodAffinity")

const noAffinity = unresolvable("node(s) didn't match pod affinity rules")
const antiAffinity = unschedulable("node(s) didn't match pod anti-affinity rules")
const existingAntiAffinity = unschedulable("node(s) didn't satisfy existing pods anti-affinity rules")

export const interPodAffinity = definePlugin<InterPodAffinityArgs>({
  name: "InterPodAffinity",
  weight: 2,
  defaultArgs: { hardPodAffinityWeight: 1, ignorePreferredTermsOfExistingPods: false },
  argsTable: {
    InterPodAffinityArgs: {
      apiVersion: "string",
      hardPodAffinityWeight: "int32",
      ignorePreferredTermsOfExistingPods: "boolean",
      kind: "string",
    },
  },
  validateArgs: ({ hardPodAffinityWeight: weight }, path) =>
    weight >= 0 && weight <= 100
      ? []
      : [field.invalid(field.child(path, "hardPodAffinityWeight"), weight, "not in valid range [0, 100]")],
  create({ informers }, args) {
    const { hardPodAffinityWeight } = args
    const namespaces = informers.informer(namespace)
    const labelsOf: NamespaceLabels = (name) => namespaces.get({ name })?.metadata.labels
    const counter = createCounter(labelsOf)
    return {
      eventsToRegister: () => [
        onEvent<Pod>(
          "AssignedPod",
          ActionType.Add | ActionType.UpdatePodLabel | ActionType.Delete,
          (pod, old, now) => afterPodChange(pod, old, now, labelsOf),
        ),
        onEvent("TargetPod", ActionType.UpdatePodLabel),
        onEvent<Node>("Node", ActionType.Add | ActionType.UpdateNodeLabel, afterNodeChange),
      ],

      preFilter(state, pod, nodes) {
        const info = podInfoOf(pod)
        const { requiredAffinity, requiredAntiAffinity } = info.terms
        const own: FilterState = {
          pod: info,
          refusedAt: new TopologyCounts(),
          affinity: new TopologyCounts(),
          antiAffinity: new TopologyCounts(),
        }
        for (const node of state.snapshot.withRequiredAntiAffinity)
          for (const other of node.podsWithRequiredAntiAffinity.values())
            counter.countTheirs(own, other, node, 1)
        const hasOwn = requiredAffinity.length > 0 || requiredAntiAffinity.length > 0
        if (hasOwn)
          for (const node of nodes)
            for (const other of node.pods.values()) counter.countOurs(own, other, node, 1)
        if (own.refusedAt.isEmpty && !hasOwn) return skip
        state.write(filterState, own)
        return undefined
      },
      addPod: (state, _pod, added, node) => counter.recount(state, added, node, 1),
      removePod: (state, _pod, removed, node) => counter.recount(state, removed, node, -1),

      filter(state, pod, node) {
        const own = state.read(filterState)
        const { requiredAffinity, requiredAntiAffinity } = own.pod.terms
        let isNear = true
        for (const { topologyKey } of requiredAffinity) {
          const value = node.labels[topologyKey]
          if (value === undefined) return noAffinity
          if (own.affinity.at(topologyKey, value) <= 0) isNear = false
        }
        // The first of a group that wants to be together has nobody to be near to.
        if (!isNear && !(own.affinity.isEmpty && matchesAll(requiredAffinity, pod, labelsOf)))
          return noAffinity
        for (const { topologyKey } of requiredAntiAffinity) {
          const value = node.labels[topologyKey]
          if (value !== undefined && own.antiAffinity.at(topologyKey, value) > 0) return antiAffinity
        }
        return own.refusedAt.sum(node.labels) > 0 ? existingAntiAffinity : undefined
      },

      preScore(state, pod) {
        const { terms } = podInfoOf(pod)
        const hasOwn = terms.preferredAffinity.length > 0 || terms.preferredAntiAffinity.length > 0
        if (args.ignorePreferredTermsOfExistingPods && !hasOwn) return skip
        const counts = new TopologyCounts()
        const weigh = (
          list: readonly CompiledTerm[],
          of: Readonly<Pod>,
          node: NodeInfo,
          weightOf: (term: CompiledTerm) => number,
        ): void => {
          for (const term of list)
            if (term.matches(of, labelsOf)) counts.add(node.labels, term.topologyKey, weightOf(term))
        }
        const wanted = (term: CompiledTerm): number => term.weight
        const unwanted = (term: CompiledTerm): number => -term.weight
        const hard = (): number => hardPodAffinityWeight
        const { nodes, withAffinity } = state.snapshot
        for (const node of hasOwn ? nodes : withAffinity) {
          for (const other of (hasOwn ? node.pods : node.podsWithAffinity).values()) {
            weigh(terms.preferredAffinity, other.pod, node, wanted)
            weigh(terms.preferredAntiAffinity, other.pod, node, unwanted)
            if (hardPodAffinityWeight > 0) weigh(other.terms.requiredAffinity, pod, node, hard)
            weigh(other.terms.preferredAffinity, pod, node, wanted)
            weigh(other.terms.preferredAntiAffinity, pod, node, unwanted)
          }
        }
        if (counts.isEmpty) return skip
        state.write(scoreState, counts)
        return undefined
      },

      score: (state, _pod, node) => state.read(scoreState).sum(node.labels),

      normalizeScore(_state, _pod, scores) {
        let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
        for (const score of scores) {
          min = Math.min(min, score)
          max = Math.max(max, score)
        }
        for (let i = 0; i < scores.length; i++)
          scores[i] = max === min ? 0 : Math.floor(maxNodeScore * ((scores[i]! - min) / (max - min)))
      },
    }
  },
})

interface Counter {
  /** An existing pod that does not want ours. */
  countTheirs(own: FilterState, other: PodInfo, node: NodeInfo, by: number): void
  /** An existing pod that ours wants to be near to, or far from. */
  countOurs(own: FilterState, other: PodInfo, node: NodeInfo, by: number): void
  /** A what-if: the pod comes or goes. */
  recount(state: CycleState, other: PodInfo, node: NodeInfo, by: number): undefined
}

function createCounter(labelsOf: NamespaceLabels): Counter {
  const counter: Counter = {
    countTheirs({ pod, refusedAt }, other, node, by) {
      for (const term of other.terms.requiredAntiAffinity)
        if (term.matches(pod.pod, labelsOf)) refusedAt.add(node.labels, term.topologyKey, by)
    },
    countOurs({ pod, affinity, antiAffinity: apart }, other, node, by) {
      const { requiredAffinity, requiredAntiAffinity } = pod.terms
      if (requiredAffinity.length > 0 && matchesAll(requiredAffinity, other.pod, labelsOf))
        for (const { topologyKey } of requiredAffinity) affinity.add(node.labels, topologyKey, by)
      for (const term of requiredAntiAffinity)
        if (term.matches(other.pod, labelsOf)) apart.add(node.labels, term.topologyKey, by)
    },
    recount(state, other, node, by) {
      const own = state.read(filterState)
      counter.countTheirs(own, other, node, by)
      counter.countOurs(own, other, node, by)
      return undefined
    },
  }
  return counter
}

function matchesAll(terms: readonly CompiledTerm[], pod: Readonly<Pod>, labelsOf: NamespaceLabels): boolean {
  return terms.length > 0 && terms.every((term) => term.matches(pod, labelsOf))
}

function afterPodChange(
  pod: Readonly<Pod>,
  old: Readonly<Pod> | undefined,
  now: Readonly<Pod> | undefined,
  labelsOf: NamespaceLabels,
): QueueingHint {
  const { requiredAffinity, requiredAntiAffinity } = termsOf(pod)
  const isWanted = (one: Readonly<Pod> | undefined): boolean =>
    one !== undefined && matchesAll(requiredAffinity, one, labelsOf)
  const isUnwanted = (one: Readonly<Pod> | undefined): boolean =>
    one !== undefined && requiredAntiAffinity.some((term) => term.matches(one, labelsOf))
  if (!isWanted(old) && isWanted(now)) return "Queue"
  if (isUnwanted(old) && !isUnwanted(now)) return "Queue"
  const refused = (one: Readonly<Pod>): boolean =>
    termsOf(one).requiredAntiAffinity.some((term) => term.matches(pod, labelsOf))
  return old && !now && refused(old) ? "Queue" : "QueueSkip"
}

function afterNodeChange(
  pod: Readonly<Pod>,
  old: Readonly<Node> | undefined,
  now: Readonly<Node> | undefined,
): QueueingHint {
  const { requiredAffinity, requiredAntiAffinity } = termsOf(pod)
  const valueOn = (node: Readonly<Node> | undefined, { topologyKey }: CompiledTerm): string | undefined =>
    node?.metadata.labels?.[topologyKey]
  const comesNear = requiredAffinity.some((term) => {
    const value = valueOn(now, term)
    return value !== undefined && value !== valueOn(old, term)
  })
  if (comesNear) return "Queue"
  const movesAway = requiredAntiAffinity.some((term) => {
    const before = valueOn(old, term)
    return !old || (before !== undefined && before !== valueOn(now, term))
  })
  return movesAway ? "Queue" : "QueueSkip"
}
