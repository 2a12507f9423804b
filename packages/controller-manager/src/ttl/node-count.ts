/** How many nodes there are, in steps that overlap, so that a node that comes and goes changes nothing. */

const steps = [
  { min: 0, max: 100, ttlSeconds: 0 },
  { min: 90, max: 500, ttlSeconds: 15 },
  { min: 450, max: 1000, ttlSeconds: 30 },
  { min: 900, max: 2000, ttlSeconds: 60 },
  { min: 1800, max: Infinity, ttlSeconds: 300 },
] as const

export class NodeCount {
  #nodes = 0
  #step = 0

  /** `by` nodes more, or fewer. */
  change(by: 1 | -1): void {
    this.#nodes += by
    const { min, max } = steps[this.#step]!
    if (this.#nodes > max) this.#step++
    else if (this.#nodes < min) this.#step--
  }

  get ttlSeconds(): number {
    return steps[this.#step]!.ttlSeconds
  }
}
