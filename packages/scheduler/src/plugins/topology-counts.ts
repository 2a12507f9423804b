/** How much counts where: topology key → value → sum. Looked up by a node's labels, never walked. */
export class TopologyCounts {
  readonly #counts = new Map<string, Map<string, number>>()

  /** Nothing counts anywhere. */
  get isEmpty(): boolean {
    return this.#counts.size === 0
  }

  /** At a node with these labels; nothing when it lacks the key. */
  add(labels: Readonly<Record<string, string>>, key: string, by: number): void {
    const value = labels[key]
    if (value === undefined) return
    let values = this.#counts.get(key)
    if (!values) this.#counts.set(key, (values = new Map()))
    const sum = (values.get(value) ?? 0) + by
    if (sum !== 0) return void values.set(value, sum)
    values.delete(value)
    if (values.size === 0) this.#counts.delete(key)
  }

  at(key: string, value: string): number {
    return this.#counts.get(key)?.get(value) ?? 0
  }

  /** Of all keys that the labels have. */
  sum(labels: Readonly<Record<string, string>>): number {
    let sum = 0
    for (const [key, values] of this.#counts) {
      const value = labels[key]
      if (value !== undefined) sum += values.get(value) ?? 0
    }
    return sum
  }

  clone(): TopologyCounts {
    const copy = new TopologyCounts()
    for (const [key, values] of this.#counts) copy.#counts.set(key, new Map(values))
    return copy
  }
}
