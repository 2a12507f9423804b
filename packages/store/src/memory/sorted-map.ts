/** A map whose keys are kept in byte order: a B+ tree, so an insertion or a look-up takes O(log n). */
import { compareKeys } from "../keys.ts"

const maxNode = 64

interface Leaf<V> {
  readonly keys: string[]
  readonly values: V[]
  next: Leaf<V> | undefined
}

interface Inner<V> {
  /** `children[i]` holds the keys k with `keys[i - 1] <= k < keys[i]`. */
  readonly keys: string[]
  readonly children: Node<V>[]
}

type Node<V> = Leaf<V> | Inner<V>

export class SortedMap<V> {
  #root: Node<V> = { keys: [], values: [], next: undefined }
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: string): V | undefined {
    const leaf = this.#leaf(key)
    const at = lowerBound(leaf.keys, key)
    return leaf.keys[at] === key ? leaf.values[at] : undefined
  }

  set(key: string, value: V): void {
    const split = this.#insert(this.#root, key, value)
    if (split) this.#root = { keys: [split.key], children: [this.#root, split.right] }
  }

  /** Leaves may run empty; they are few, as keys of a store come back or lie beside others. */
  delete(key: string): boolean {
    const leaf = this.#leaf(key)
    const at = lowerBound(leaf.keys, key)
    if (leaf.keys[at] !== key) return false
    leaf.keys.splice(at, 1)
    leaf.values.splice(at, 1)
    this.#size--
    if (this.#size === 0) this.#root = { keys: [], values: [], next: undefined }
    return true
  }

  /** The entries at or after `from`, in order. The map must not change while this runs. */
  *entries(from: string): Generator<readonly [key: string, value: V]> {
    let leaf: Leaf<V> | undefined = this.#leaf(from)
    let at = lowerBound(leaf.keys, from)
    for (; leaf; leaf = leaf.next, at = 0) {
      for (; at < leaf.keys.length; at++) yield [leaf.keys[at]!, leaf.values[at]!]
    }
  }

  #leaf(key: string): Leaf<V> {
    let node = this.#root
    while ("children" in node) node = node.children[upperBound(node.keys, key)]!
    return node
  }

  #insert(node: Node<V>, key: string, value: V): { key: string; right: Node<V> } | undefined {
    if ("children" in node) {
      const at = upperBound(node.keys, key)
      const split = this.#insert(node.children[at]!, key, value)
      if (!split) return undefined
      node.keys.splice(at, 0, split.key)
      node.children.splice(at + 1, 0, split.right)
      if (node.children.length <= maxNode) return undefined
      const half = node.children.length >> 1
      const right: Inner<V> = { keys: node.keys.splice(half), children: node.children.splice(half) }
      return { key: node.keys.pop()!, right }
    }
    const at = lowerBound(node.keys, key)
    if (node.keys[at] === key) {
      node.values[at] = value
      return undefined
    }
    node.keys.splice(at, 0, key)
    node.values.splice(at, 0, value)
    this.#size++
    if (node.keys.length <= maxNode) return undefined
    const half = node.keys.length >> 1
    const right: Leaf<V> = { keys: node.keys.splice(half), values: node.values.splice(half), next: node.next }
    node.next = right
    return { key: right.keys[0]!, right }
  }
}

/** The index of the first key that is not before `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys(keys[middle]!, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** The index of the first key that is after `key`. */
function upperBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys(keys[middle]!, key) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
