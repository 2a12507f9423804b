/**
 * The cluster as one attempt sees it: node infos that nobody changes. The cache brings it up to date between
 * attempts, node by node. Mirrors: pkg/scheduler/backend/cache/snapshot.go
 */
import type { NodeInfo } from "./node-info.ts"
import { PodTallies, type Tally, type TallySpec, type TermTally } from "./pod-tallies.ts"

/** Of more images the nodes are counted again. */
const maxImages = 1000

export interface Snapshot {
  readonly nodes: readonly NodeInfo[]
  get(nodeName: string): NodeInfo | undefined
  /** How many pods are where, of what the question is about. */
  tally(spec: TallySpec): Tally
  /** Terms of the pods that are there: what they do not want near, had to be near to, and would rather. */
  requiredAntiAffinity(): Iterable<TermTally>
  requiredAffinity(): Iterable<TermTally>
  preferredTerms(): Iterable<TermTally>
  /** How many nodes have the image. */
  nodesWithImage(name: string): number
}

export class CacheSnapshot implements Snapshot {
  #nodes: NodeInfo[] = []
  /** Node name → place in `#nodes`. */
  readonly #places = new Map<string, number>()
  readonly #tallies = new PodTallies()
  /** Of images that were asked for. */
  readonly #nodesWithImage = new Map<string, number>()

  get nodes(): readonly NodeInfo[] {
    return this.#nodes
  }

  get(nodeName: string): NodeInfo | undefined {
    const place = this.#places.get(nodeName)
    return place === undefined ? undefined : this.#nodes[place]
  }

  tally(spec: TallySpec): Tally {
    return this.#tallies.tally(spec, this.#nodes)
  }

  requiredAntiAffinity(): Iterable<TermTally> {
    return this.#tallies.requiredAntiAffinity(this.#nodes)
  }

  requiredAffinity(): Iterable<TermTally> {
    return this.#tallies.requiredAffinity(this.#nodes)
  }

  preferredTerms(): Iterable<TermTally> {
    return this.#tallies.preferred(this.#nodes)
  }

  nodesWithImage(name: string): number {
    let count = this.#nodesWithImage.get(name)
    if (count === undefined) {
      count = this.#nodes.filter((node) => node.images.has(name)).length
      if (this.#nodesWithImage.size >= maxImages) this.#nodesWithImage.clear()
      this.#nodesWithImage.set(name, count)
    }
    return count
  }

  /** All nodes anew: some came or went. */
  rebuild(nodes: Iterable<NodeInfo>): void {
    this.#nodes = [...nodes]
    this.#places.clear()
    for (const [place, node] of this.#nodes.entries()) this.#places.set(node.name, place)
    this.#tallies.rebuilt()
    this.#nodesWithImage.clear()
  }

  /** The node as it is now; it must be in the snapshot. */
  replace(node: NodeInfo): void {
    const place = this.#places.get(node.name)!
    const old = this.#nodes[place]!
    this.#nodes[place] = node
    if (old.images !== node.images) this.#nodesWithImage.clear()
    this.#tallies.changed(place, this.#nodes.length)
  }
}
