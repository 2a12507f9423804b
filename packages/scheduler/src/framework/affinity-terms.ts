/** Affinity terms ready for matching. Mirrors: kube-scheduler framework/types.go AffinityTerm */
import type { Pod, PodAffinityTerm } from "@knarr/api"
import {
  labelRequirement,
  nothing,
  selectorFrom,
  selectorOf,
  type LabelRequirement,
  type Selector,
} from "@knarr/apimachinery"

/** Labels of a namespace, for namespace selectors. */
export type NamespaceLabels = (name: string) => Readonly<Record<string, string>> | undefined

export interface CompiledTerm {
  readonly topologyKey: string
  /** Of a preferred one. */
  readonly weight: number
  /** Terms of the same key match the same pods at the same topology. */
  readonly key: string
  /** Whether what it matches does not depend on the labels of namespaces. */
  readonly isFixed: boolean
  matches(pod: Readonly<Pod>, namespaceLabels: NamespaceLabels): boolean
}

export interface PodTerms {
  readonly requiredAffinity: readonly CompiledTerm[]
  readonly requiredAntiAffinity: readonly CompiledTerm[]
  readonly preferredAffinity: readonly CompiledTerm[]
  readonly preferredAntiAffinity: readonly CompiledTerm[]
}

const compiled = new WeakMap<Readonly<Pod>, PodTerms>()
const noTerms: PodTerms = {
  requiredAffinity: [],
  requiredAntiAffinity: [],
  preferredAffinity: [],
  preferredAntiAffinity: [],
}

/** A pod's terms, compiled once per pod object. */
export function termsOf(pod: Readonly<Pod>): PodTerms {
  const { affinity } = pod.spec
  if (!affinity?.podAffinity && !affinity?.podAntiAffinity) return noTerms
  let terms = compiled.get(pod)
  if (!terms) {
    const { podAffinity, podAntiAffinity } = affinity
    const required = (list: readonly PodAffinityTerm[] | undefined): CompiledTerm[] =>
      (list ?? []).map((term) => compile(pod, term, 0))
    const preferred = (
      list: readonly { weight: number; podAffinityTerm: PodAffinityTerm }[] | undefined,
    ): CompiledTerm[] =>
      (list ?? []).map(({ weight, podAffinityTerm }) => compile(pod, podAffinityTerm, weight))
    terms = {
      requiredAffinity: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
      requiredAntiAffinity: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
      preferredAffinity: preferred(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
      preferredAntiAffinity: preferred(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    }
    compiled.set(pod, terms)
  }
  return terms
}

function compile(owner: Readonly<Pod>, term: PodAffinityTerm, weight: number): CompiledTerm {
  const selector = term.labelSelector ? withKeys(selectorFrom(term.labelSelector), owner, term) : nothing
  const namespaceSelector = term.namespaceSelector ? selectorFrom(term.namespaceSelector) : undefined
  const listed = new Set(term.namespaces ?? [])
  if (listed.size === 0 && !namespaceSelector) listed.add(owner.metadata.namespace ?? "")
  const textOf = (one: Selector | undefined): string => (one && one !== nothing ? one.toString() : "none")
  const places = [...listed].sort().join(",")
  return {
    topologyKey: term.topologyKey,
    weight,
    key: [
      term.topologyKey,
      places,
      namespaceSelector ? textOf(namespaceSelector) : "-",
      textOf(selector),
    ].join(";"),
    isFixed: namespaceSelector === undefined,
    matches(pod, namespaceLabels) {
      const namespace = pod.metadata.namespace ?? ""
      const isHere =
        listed.has(namespace) || namespaceSelector?.matches(namespaceLabels(namespace) ?? {}) === true
      return isHere && selector.matches(pod.metadata.labels ?? {})
    },
  }
}

/** `matchLabelKeys` narrow the selector to the owner's own values; the API server has merged them into newer objects already. */
function withKeys(selector: Selector, owner: Readonly<Pod>, term: PodAffinityTerm): Selector {
  const own = (keys: readonly string[] | undefined, operator: "in" | "notin"): LabelRequirement[] =>
    (keys ?? []).flatMap((key) => {
      const value = owner.metadata.labels?.[key]
      return value === undefined ? [] : [labelRequirement(key, operator, [value])]
    })
  const extra = [...own(term.matchLabelKeys, "in"), ...own(term.mismatchLabelKeys, "notin")]
  return extra.length === 0 ? selector : selectorOf([...selector.requirements, ...extra])
}
