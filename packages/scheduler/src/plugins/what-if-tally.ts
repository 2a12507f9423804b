/** A tally as one attempt sees it: what is counted, and what a what-if adds and takes away. */
import type { Tally } from "../cache/pod-tallies.ts"

export class WhatIfTally {
  readonly #base: Tally
  #changes: Map<string, number> | undefined
  #changed = 0
  #minimum: number | undefined

  constructor(base: Tally, changes?: ReadonlyMap<string, number>) {
    this.#base = base
    if (!changes) return
    this.#changes = new Map(changes)
    for (const by of changes.values()) this.#changed += by
  }

  get topologyKey(): string {
    return this.#base.topologyKey
  }

  /** How many values there are. */
  get size(): number {
    return this.#base.counts.size
  }

  get total(): number {
    return this.#base.total + this.#changed
  }

  /** Of all values; 0 when there are none. Found by one walk when it may have changed. */
  get minimum(): number {
    if (this.#minimum === undefined) {
      let least = Number.POSITIVE_INFINITY
      for (const [value, count] of this.#base.counts) {
        const now = count + (this.#changes?.get(value) ?? 0)
        if (now < least) least = now
      }
      this.#minimum = Number.isFinite(least) ? least : 0
    }
    return this.#minimum
  }

  at(value: string | undefined): number {
    if (value === undefined) return 0
    return (this.#base.counts.get(value) ?? 0) + (this.#changes?.get(value) ?? 0)
  }

  add(value: string | undefined, by: number): void {
    if (value === undefined) return
    this.#changes ??= new Map()
    this.#changes.set(value, (this.#changes.get(value) ?? 0) + by)
    this.#changed += by
    this.#minimum = undefined
  }

  clone(): WhatIfTally {
    return new WhatIfTally(this.#base, this.#changes)
  }
}
