/**
 * The cluster as one attempt sees it: node infos that nobody changes. The cache brings it up to date between
 * attempts, node by node. Mirrors: pkg/scheduler/backend/cache/snapshot.go
 */
import type { NodeInfo } from "./node-info.ts"

/** Of more images the nodes are counted again. */
const maxImages = 1000

export interface Snapshot {
  readonly nodes: readonly NodeInfo[]
  get(nodeName: string): NodeInfo | undefined
  /** Nodes on which some pod has affinity terms. */
  readonly withAffinity: readonly NodeInfo[]
  /** Nodes on which some pod has required anti-affinity. */
  readonly withRequiredAntiAffinity: readonly NodeInfo[]
  /** How many nodes have the image. */
  nodesWithImage(name: string): number
}

export class CacheSnapshot implements Snapshot {
  #nodes: NodeInfo[] = []
  /** Node name → place in `#nodes`. */
  readonly #places = new Map<string, number>()
  #withAffinity: readonly NodeInfo[] | undefined
  #withRequiredAntiAffinity: readonly NodeInfo[] | undefined
  /** Of images that were asked for. */
  readonly #nodesWithImage = new Map<string, number>()

  get nodes(): readonly NodeInfo[] {
    return this.#nodes
  }

  get(nodeName: string): NodeInfo | undefined {
    const place = this.#places.get(nodeName)
    return place === undefined ? undefined : this.#nodes[place]
  }

  get withAffinity(): readonly NodeInfo[] {
    return (this.#withAffinity ??= this.#nodes.filter((node) => node.podsWithAffinity.size > 0))
  }

  get withRequiredAntiAffinity(): readonly NodeInfo[] {
    return (this.#withRequiredAntiAffinity ??= this.#nodes.filter(
      (node) => node.podsWithRequiredAntiAffinity.size > 0,
    ))
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
    this.#withAffinity = this.#withRequiredAntiAffinity = undefined
    this.#nodesWithImage.clear()
  }

  /** The node as it is now; it must be in the snapshot. */
  replace(node: NodeInfo): void {
    const place = this.#places.get(node.name)!
    const old = this.#nodes[place]!
    this.#nodes[place] = node
    if (old.images !== node.images) this.#nodesWithImage.clear()
    if (old.podsWithAffinity.size > 0 || node.podsWithAffinity.size > 0) this.#withAffinity = undefined
    if (old.podsWithRequiredAntiAffinity.size > 0 || node.podsWithRequiredAntiAffinity.size > 0)
      this.#withRequiredAntiAffinity = undefined
  }
}
