/** A map that forgets what was used longest ago. */
export class Lru<K, V> {
  readonly #bound: number
  readonly #map = new Map<K, V>()

  /** Keeps at most `bound` entries. */
  constructor(bound: number) {
    this.#bound = bound
  }

  get(key: K): V | undefined {
    const value = this.#map.get(key)
    if (value !== undefined && this.#map.size > this.#bound / 2) {
      this.#map.delete(key)
      this.#map.set(key, value)
    }
    return value
  }

  set(key: K, value: V): void {
    this.#map.delete(key)
    this.#map.set(key, value)
    if (this.#map.size > this.#bound) {
      for (const oldest of this.#map.keys()) {
        this.#map.delete(oldest)
        break
      }
    }
  }

  clear(): void {
    this.#map.clear()
  }
}
