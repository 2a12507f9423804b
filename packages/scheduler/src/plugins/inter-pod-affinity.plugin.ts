/**
 * Near and far from other pods, by topology. Where pods are is what the snapshot has counted; a node is judged
 * by its labels. Mirrors: plugins/interpodaffinity
 */
import { namespace, type Node, type Pod } from "@knarr/api"
import { field } from "@knarr/apimachinery"
import { podInfoOf, type NodeInfo, type PodInfo } from "../cache/node-info.ts"
import type { Tally, TermTally } from "../cache/pod-tallies.ts"
import type { Snapshot } from "../cache/snapshot.ts"
import { termsOf, type CompiledTerm, type NamespaceLabels } from "../framework/affinity-terms.ts"
import { ActionType, onEvent, type QueueingHint } from "../framework/cluster-event.ts"
import { stateKey, type CycleState } from "../framework/cycle-state.ts"
import { definePlugin, maxNodeScore } from "../framework/plugin.ts"
import { skip, unresolvable, unschedulable } from "../framework/status.ts"
import { WhatIfTally } from "./what-if-tally.ts"

export interface InterPodAffinityArgs {
  /** Weight of existing pods' required affinity towards the new pod, 0…100. */
  readonly hardPodAffinityWeight: number
  /** Score by the new pod's own preferences only. */
  readonly ignorePreferredTermsOfExistingPods: boolean
}

interface FilterState {
  readonly pod: PodInfo
  /** Terms of existing pods that do not want this one, and where these pods are. */
  readonly refusedAt: { readonly term: CompiledTerm; readonly tally: WhatIfTally }[]
  /** For each required term: where pods are that match all of them. */
  readonly affinity: readonly WhatIfTally[]
  /** For each term: where pods are that match it. */
  readonly antiAffinity: readonly WhatIfTally[]
}

const cloned = (tallies: readonly WhatIfTally[]): WhatIfTally[] => tallies.map((tally) => tally.clone())
const filterState = stateKey<FilterState>("PreFilterInterPodAffinity", (state) => ({
  pod: state.pod,
  refusedAt: state.refusedAt.map(({ term, tally }) => ({ term, tally: tally.clone() })),
  affinity: cloned(state.affinity),
  antiAffinity: cloned(state.antiAffinity),
}))

/** Topology value → what it adds to a node's score, times the factor. */
interface Preference {
  readonly tally: Tally
  readonly factor: number
}

const scoreState = stateKey<readonly Preference[]>("PreScoreInterPodAffinity")

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

      preFilter(state, pod) {
        const { snapshot } = state
        const info = podInfoOf(pod)
        const { requiredAffinity, requiredAntiAffinity } = info.terms
        const refusedAt = [...snapshot.requiredAntiAffinity()].filter(({ term }) =>
          term.matches(pod, labelsOf),
        )
        if (refusedAt.length + requiredAffinity.length + requiredAntiAffinity.length === 0) return skip
        const tallyOf = (terms: readonly CompiledTerm[], topologyKey: string): WhatIfTally =>
          new WhatIfTally(tallyOfTerms(snapshot, terms, topologyKey, labelsOf))
        state.write(filterState, {
          pod: info,
          refusedAt: refusedAt.map((one) => ({ term: one.term, tally: new WhatIfTally(one) })),
          affinity: requiredAffinity.map(({ topologyKey }) => tallyOf(requiredAffinity, topologyKey)),
          antiAffinity: requiredAntiAffinity.map((term) => tallyOf([term], term.topologyKey)),
        })
        return undefined
      },
      addPod: (state, pod, added, node) => recount(state, pod, added, node, 1, labelsOf),
      removePod: (state, pod, removed, node) => recount(state, pod, removed, node, -1, labelsOf),

      filter(state, pod, node) {
        const { pod: info, affinity, antiAffinity: apart, refusedAt } = state.read(filterState)
        const { labels } = node
        let isNear = true
        for (const tally of affinity) {
          const value = labels[tally.topologyKey]
          if (value === undefined) return noAffinity
          if (tally.at(value) <= 0) isNear = false
        }
        // The first of a group that wants to be together has nobody to be near to.
        if (
          !isNear &&
          !(
            affinity.every(({ total }) => total === 0) &&
            matchesAll(info.terms.requiredAffinity, pod, labelsOf)
          )
        )
          return noAffinity
        for (const tally of apart) if (tally.at(labels[tally.topologyKey]) > 0) return antiAffinity
        for (const { tally } of refusedAt)
          if (tally.at(labels[tally.topologyKey]) > 0) return existingAntiAffinity
        return undefined
      },

      preScore(state, pod) {
        const { snapshot } = state
        const { terms } = podInfoOf(pod)
        const hasOwn = terms.preferredAffinity.length > 0 || terms.preferredAntiAffinity.length > 0
        if (args.ignorePreferredTermsOfExistingPods && !hasOwn) return skip
        const preferences: Preference[] = []
        const prefer = (tally: Tally, factor: number): void => {
          if (factor !== 0 && tally.counts.size > 0) preferences.push({ tally, factor })
        }
        const own = (term: CompiledTerm, factor: number): void =>
          prefer(tallyOfTerms(snapshot, [term], term.topologyKey, labelsOf), factor)
        for (const term of terms.preferredAffinity) own(term, term.weight)
        for (const term of terms.preferredAntiAffinity) own(term, -term.weight)
        const theirs = (tallies: Iterable<TermTally>, factor: number): void => {
          for (const tally of tallies) if (tally.term.matches(pod, labelsOf)) prefer(tally, factor)
        }
        if (hardPodAffinityWeight > 0) theirs(snapshot.requiredAffinity(), hardPodAffinityWeight)
        theirs(snapshot.preferredTerms(), 1)
        if (preferences.length === 0) return skip
        state.write(scoreState, preferences)
        return undefined
      },

      score(state, _pod, { labels }) {
        let sum = 0
        for (const { tally, factor } of state.read(scoreState)) {
          const value = labels[tally.topologyKey]
          if (value !== undefined) sum += (tally.counts.get(value) ?? 0) * factor
        }
        return sum
      },

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

/** Where pods are that match all of the terms. */
function tallyOfTerms(
  snapshot: Snapshot,
  terms: readonly CompiledTerm[],
  topologyKey: string,
  labelsOf: NamespaceLabels,
): Tally {
  const count = (node: NodeInfo): number => {
    let matching = 0
    for (const { pod } of node.pods.values()) if (matchesAll(terms, pod, labelsOf)) matching++
    return matching
  }
  const key = terms.map((term) => term.key).join("\n")
  if (terms.every(({ isFixed }) => isFixed)) return snapshot.tally({ key, topologyKey, count })
  // Labels of namespaces change without a word.
  const counts = new Map<string, number>()
  let total = 0
  for (const node of snapshot.nodes) {
    const value = node.labels[topologyKey]
    if (value === undefined) continue
    const matching = count(node)
    total += matching
    counts.set(value, (counts.get(value) ?? 0) + matching)
  }
  return { topologyKey, counts, total }
}

/** A what-if: the pod comes or goes. */
function recount(
  state: CycleState,
  pod: Readonly<Pod>,
  other: PodInfo,
  { labels }: NodeInfo,
  by: number,
  labelsOf: NamespaceLabels,
): undefined {
  const own = state.read(filterState)
  const { requiredAffinity, requiredAntiAffinity } = own.pod.terms
  const add = (tally: WhatIfTally): void => tally.add(labels[tally.topologyKey], by)
  if (matchesAll(requiredAffinity, other.pod, labelsOf)) own.affinity.forEach(add)
  for (const [i, term] of requiredAntiAffinity.entries())
    if (term.matches(other.pod, labelsOf)) add(own.antiAffinity[i]!)
  for (const term of other.terms.requiredAntiAffinity) {
    if (!term.matches(pod, labelsOf)) continue
    const known = own.refusedAt.find((one) => one.term.key === term.key)
    // A sort that nobody had yet: a pod that is nominated brings it.
    if (known) add(known.tally)
    else {
      const tally = new WhatIfTally({ topologyKey: term.topologyKey, counts: new Map(), total: 0 })
      add(tally)
      own.refusedAt.push({ term, tally })
    }
  }
  return undefined
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
