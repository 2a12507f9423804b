/**
 * How many pods of some sort are in each value of a topology, kept from one attempt to the next: pods of one workload ask
 * the same questions, and between two attempts few nodes change. What is asked for the first time is counted once.
 */
import type { CompiledTerm } from "../framework/affinity-terms.ts"
import type { NodeInfo } from "./node-info.ts"

/** A question. */
export interface TallySpec {
  /** Names everything that the answer depends on beside the nodes and their pods. */
  readonly key: string
  readonly topologyKey: string
  /** Whether the node belongs to the topology. Default: when it has the label. */
  includes?(node: NodeInfo): boolean
  count(node: NodeInfo): number
}

/** Topology value → how many; a value of included nodes is one with 0, too. True until the next snapshot. */
export interface Tally {
  readonly topologyKey: string
  readonly counts: ReadonlyMap<string, number>
  /** All of it. */
  readonly total: number
}

/** A term of existing pods, and where they are. */
export interface TermTally extends Tally {
  readonly term: CompiledTerm
}

/** Questions that are kept. */
const maxTallies = 256

class CountedTally implements Tally {
  readonly topologyKey: string
  readonly counts = new Map<string, number>()
  /** Nodes of each value: one without is none. */
  readonly #nodes = new Map<string, number>()
  total = 0

  constructor(topologyKey: string) {
    this.topologyKey = topologyKey
  }

  add(value: string, count: number, nodes: 1 | -1): void {
    const left = (this.#nodes.get(value) ?? 0) + nodes
    this.total += count
    if (left > 0) {
      this.#nodes.set(value, left)
      this.counts.set(value, (this.counts.get(value) ?? 0) + count)
      return
    }
    this.#nodes.delete(value)
    this.counts.delete(value)
  }
}

/** What each node of the snapshot contributes; brought up to date node by node. */
abstract class Kept {
  generation = -1
  /** Up to which change it is true. */
  position = 0
  abstract reset(): void
  abstract update(place: number, node: NodeInfo): void
}

class KeptTally extends Kept {
  readonly #spec: TallySpec
  /** By place: the value and how many. */
  #values: (string | undefined)[] = []
  #amounts: number[] = []
  tally: CountedTally

  constructor(spec: TallySpec) {
    super()
    this.#spec = spec
    this.tally = new CountedTally(spec.topologyKey)
  }

  reset(): void {
    this.#values = []
    this.#amounts = []
    this.tally = new CountedTally(this.#spec.topologyKey)
  }

  update(place: number, node: NodeInfo): void {
    const { topologyKey, includes, count } = this.#spec
    const before = this.#values[place]
    if (before !== undefined) this.tally.add(before, -this.#amounts[place]!, -1)
    const value = node.labels[topologyKey]
    this.#values[place] = undefined
    if (value === undefined || (includes && !includes(node))) return
    const amount = count(node)
    this.#values[place] = value
    this.#amounts[place] = amount
    this.tally.add(value, amount, 1)
  }
}

interface Contribution {
  readonly key: string
  readonly value: string
  readonly amount: number
}

/** The terms of existing pods of one sort. */
class KeptTerms extends Kept {
  readonly #termsOf: (node: NodeInfo) => Iterable<readonly [term: CompiledTerm, amount: number]>
  readonly entries = new Map<string, { term: CompiledTerm; tally: CountedTally }>()
  #places: (readonly Contribution[] | undefined)[] = []

  constructor(termsOf: (node: NodeInfo) => Iterable<readonly [CompiledTerm, number]>) {
    super()
    this.#termsOf = termsOf
  }

  reset(): void {
    this.entries.clear()
    this.#places = []
  }

  update(place: number, node: NodeInfo): void {
    for (const { key, value, amount } of this.#places[place] ?? []) {
      const { tally } = this.entries.get(key)!
      tally.add(value, -amount, -1)
      if (tally.counts.size === 0) this.entries.delete(key)
    }
    const added: Contribution[] = []
    for (const [term, amount] of this.#termsOf(node)) {
      const value = node.labels[term.topologyKey]
      if (value === undefined) continue
      let entry = this.entries.get(term.key)
      if (!entry) this.entries.set(term.key, (entry = { term, tally: new CountedTally(term.topologyKey) }))
      entry.tally.add(value, amount, 1)
      added.push({ key: term.key, value, amount })
    }
    this.#places[place] = added.length > 0 ? added : undefined
  }
}

export class PodTallies {
  readonly #tallies = new Map<string, KeptTally>()
  readonly #requiredAntiAffinity = new KeptTerms(function* (node) {
    for (const { terms } of node.podsWithRequiredAntiAffinity.values())
      for (const term of terms.requiredAntiAffinity) yield [term, 1]
  })
  readonly #requiredAffinity = new KeptTerms(function* (node) {
    for (const { terms } of node.podsWithAffinity.values())
      for (const term of terms.requiredAffinity) yield [term, 1]
  })
  readonly #preferred = new KeptTerms(function* (node) {
    for (const { terms } of node.podsWithAffinity.values()) {
      for (const term of terms.preferredAffinity) yield [term, term.weight]
      for (const term of terms.preferredAntiAffinity) yield [term, -term.weight]
    }
  })
  /** Places of nodes that changed, in order. */
  #changes: number[] = []
  /** Another one when places mean other nodes, or changes are forgotten. */
  #generation = 0

  /** Nodes came or went. */
  rebuilt(): void {
    this.#changes = []
    this.#generation++
  }

  changed(place: number, nodes: number): void {
    this.#changes.push(place)
    // Whoever was not asked for so long counts anew.
    if (this.#changes.length > 2 * nodes + 1000) this.rebuilt()
  }

  tally(spec: TallySpec, nodes: readonly NodeInfo[]): Tally {
    const key = `${spec.topologyKey}\n${spec.key}`
    let kept = this.#tallies.get(key)
    if (kept) this.#tallies.delete(key)
    else {
      kept = new KeptTally(spec)
      if (this.#tallies.size >= maxTallies) this.#tallies.delete(this.#tallies.keys().next().value!)
    }
    this.#tallies.set(key, kept)
    this.#refresh(kept, nodes)
    return kept.tally
  }

  /** What existing pods do not want near them. */
  requiredAntiAffinity(nodes: readonly NodeInfo[]): Iterable<TermTally> {
    return this.#terms(this.#requiredAntiAffinity, nodes)
  }

  /** What existing pods had to be near to. */
  requiredAffinity(nodes: readonly NodeInfo[]): Iterable<TermTally> {
    return this.#terms(this.#requiredAffinity, nodes)
  }

  /** What existing pods would rather be near to, by weight, or rather not, by weights below 0. */
  preferred(nodes: readonly NodeInfo[]): Iterable<TermTally> {
    return this.#terms(this.#preferred, nodes)
  }

  *#terms(kept: KeptTerms, nodes: readonly NodeInfo[]): Iterable<TermTally> {
    this.#refresh(kept, nodes)
    for (const { term, tally } of kept.entries.values())
      yield { term, topologyKey: tally.topologyKey, counts: tally.counts, total: tally.total }
  }

  #refresh(kept: Kept, nodes: readonly NodeInfo[]): void {
    if (kept.generation !== this.#generation) {
      kept.reset()
      for (let place = 0; place < nodes.length; place++) kept.update(place, nodes[place]!)
      kept.generation = this.#generation
    } else
      for (let i = kept.position; i < this.#changes.length; i++) {
        const place = this.#changes[i]!
        kept.update(place, nodes[place]!)
      }
    kept.position = this.#changes.length
  }
}
