/**
 * Counts by topology value that know their minimum. It is found by one walk when it may have changed, so that filters ask
 * for nothing and a what-if that moves one pod costs one walk. Mirrors: podtopologyspread/filtering.go criticalPaths
 */
export class MinimumCounts {
  readonly #counts: Map<string, number>
  #minimum: number | undefined

  constructor(counts?: ReadonlyMap<string, number>) {
    this.#counts = new Map(counts)
  }

  /** How many values there are. */
  get size(): number {
    return this.#counts.size
  }

  /** 0 when there are no values. */
  get minimum(): number {
    if (this.#minimum === undefined) {
      let least = Number.POSITIVE_INFINITY
      for (const count of this.#counts.values()) if (count < least) least = count
      this.#minimum = Number.isFinite(least) ? least : 0
    }
    return this.#minimum
  }

  get(value: string): number {
    return this.#counts.get(value) ?? 0
  }

  /** A value is one from its first `add` on, of 0 too. */
  add(value: string, by: number): void {
    this.#counts.set(value, this.get(value) + by)
    this.#minimum = undefined
  }

  clone(): MinimumCounts {
    return new MinimumCounts(this.#counts)
  }
}
