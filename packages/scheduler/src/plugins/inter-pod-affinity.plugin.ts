/** Near and far from other pods, by topology. Mirrors: plugins/interpodaffinity */
import type { Pod } from "@knarr/api"
import type { NodeInfo } from "../cache/node-info.ts"
import { definePlugin, maxNodeScore, type Snapshot } from "../framework.ts"
import { termsOf, type CompiledTerm } from "./pod-affinity-terms.ts"

/** `topologyKey=value` → how many pods count there. */
type Counts = Map<string, number>

interface FilterState {
  /** Where existing pods do not want this one. */
  readonly refusedAt: Counts
  readonly affinity: Counts
  readonly antiAffinity: Counts
  readonly requiredAffinity: readonly CompiledTerm[]
  readonly requiredAntiAffinity: readonly CompiledTerm[]
  /** The pod would itself be what it wants to be near to. */
  readonly isFirst: boolean
}

const refusals = {
  affinity: { reasons: ["node(s) didn't match pod affinity rules"], unresolvable: true },
  antiAffinity: { reasons: ["node(s) didn't match pod anti-affinity rules"] },
  existing: { reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"] },
}

/** Upstream's weight of existing pods' required affinity towards the new pod. */
const hardPodAffinityWeight = 1

export const interPodAffinity = definePlugin<FilterState, Counts>({
  name: "InterPodAffinity",
  weight: 2,
  events: ["pod added", "pod deleted", "pod labels changed", "node added", "node labels changed"],

  preFilter(pod, snapshot) {
    const { requiredAffinity, requiredAntiAffinity } = termsOf(pod)
    const refusedAt: Counts = new Map()
    for (const node of snapshot.withRequiredAntiAffinity) {
      for (const { pod: other } of node.pods.values()) {
        for (const term of termsOf(other).requiredAntiAffinity) {
          if (term.matches(pod, snapshot.namespaceLabels)) count(refusedAt, node, term, 1)
        }
      }
    }
    const affinity: Counts = new Map()
    const antiAffinity: Counts = new Map()
    if (requiredAffinity.length > 0 || requiredAntiAffinity.length > 0) {
      for (const node of snapshot.nodes) {
        for (const { pod: other } of node.pods.values()) {
          if (requiredAffinity.length > 0 && matchesAll(requiredAffinity, other, snapshot)) {
            for (const term of requiredAffinity) count(affinity, node, term, 1)
          }
          for (const term of requiredAntiAffinity) {
            if (term.matches(other, snapshot.namespaceLabels)) count(antiAffinity, node, term, 1)
          }
        }
      }
    }
    if (refusedAt.size === 0 && requiredAffinity.length === 0 && requiredAntiAffinity.length === 0) return {}
    const isFirst = affinity.size === 0 && matchesAll(requiredAffinity, pod, snapshot)
    return { state: { refusedAt, affinity, antiAffinity, requiredAffinity, requiredAntiAffinity, isFirst } }
  },

  filter(_pod, node, state) {
    for (const term of state.requiredAffinity) {
      const key = placeOf(node, term)
      if (key === undefined) return refusals.affinity
      if (!state.affinity.has(key) && !state.isFirst) return refusals.affinity
    }
    for (const term of state.requiredAntiAffinity) {
      const key = placeOf(node, term)
      if (key !== undefined && state.antiAffinity.has(key)) return refusals.antiAffinity
    }
    for (const key of state.refusedAt.keys()) {
      const eq = key.indexOf("=")
      if (node.labels[key.slice(0, eq)] === key.slice(eq + 1)) return refusals.existing
    }
    return undefined
  },

  preScore(pod, _nodes, snapshot) {
    const { preferredAffinity, preferredAntiAffinity } = termsOf(pod)
    const hasOwn = preferredAffinity.length > 0 || preferredAntiAffinity.length > 0
    const counts: Counts = new Map()
    for (const node of hasOwn ? snapshot.nodes : snapshot.withAffinity) {
      for (const { pod: other } of node.pods.values()) {
        for (const term of preferredAffinity)
          if (term.matches(other, snapshot.namespaceLabels)) count(counts, node, term, term.weight)
        for (const term of preferredAntiAffinity)
          if (term.matches(other, snapshot.namespaceLabels)) count(counts, node, term, -term.weight)
        const theirs = termsOf(other)
        for (const term of theirs.requiredAffinity)
          if (term.matches(pod, snapshot.namespaceLabels)) count(counts, node, term, hardPodAffinityWeight)
        for (const term of theirs.preferredAffinity)
          if (term.matches(pod, snapshot.namespaceLabels)) count(counts, node, term, term.weight)
        for (const term of theirs.preferredAntiAffinity)
          if (term.matches(pod, snapshot.namespaceLabels)) count(counts, node, term, -term.weight)
      }
    }
    return counts.size > 0 ? counts : undefined
  },

  score(_pod, node, counts) {
    let sum = 0
    for (const [key, weight] of counts) {
      const eq = key.indexOf("=")
      if (node.labels[key.slice(0, eq)] === key.slice(eq + 1)) sum += weight
    }
    return sum
  },

  normalize(scores) {
    const min = Math.min(...scores)
    const max = Math.max(...scores)
    for (let i = 0; i < scores.length; i++)
      scores[i] = max === min ? 0 : Math.floor((maxNodeScore * (scores[i]! - min)) / (max - min))
  },
})

function placeOf(node: NodeInfo, term: CompiledTerm): string | undefined {
  const value = node.labels[term.topologyKey]
  return value === undefined ? undefined : `${term.topologyKey}=${value}`
}

function count(counts: Counts, node: NodeInfo, term: CompiledTerm, by: number): void {
  const key = placeOf(node, term)
  if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + by)
}

function matchesAll(terms: readonly CompiledTerm[], pod: Readonly<Pod>, snapshot: Snapshot): boolean {
  return terms.every((term) => term.matches(pod, snapshot.namespaceLabels))
}
