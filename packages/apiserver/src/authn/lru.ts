/** A map that forgets what was used longest ago. */
export class Lru<K, V> {
  readonly #maxWeight: number
  readonly #map = new Map<K, { readonly value: V; readonly weight: number }>()
  #weight = 0

  /** Keeps entries of `maxWeight` together; what is heavier alone is not kept. */
  constructor(maxWeight: number) {
    this.#maxWeight = maxWeight
  }

  get size(): number {
    return this.#map.size
  }

  get(key: K): V | undefined {
    const found = this.#map.get(key)
    if (!found) return undefined
    this.#map.delete(key)
    this.#map.set(key, found)
    return found.value
  }

  set(key: K, value: V, weight: number): void {
    this.#remove(key)
    if (weight > this.#maxWeight) return
    this.#map.set(key, { value, weight })
    this.#weight += weight
    for (const oldest of this.#map.keys()) {
      if (this.#weight <= this.#maxWeight) break
      this.#remove(oldest)
    }
  }

  #remove(key: K): void {
    const found = this.#map.get(key)
    if (!found) return
    this.#map.delete(key)
    this.#weight -= found.weight
  }
}
