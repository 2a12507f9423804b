/** One node of a zone at a time: a token bucket of one token per zone. */
export class EvictionLimiter {
  readonly #last = new Map<string, { atMs: number; node: string }>()

  /** 0 when `node` may be tainted now (the token is taken), else milliseconds to wait; Infinity when the rate is 0. */
  take(zone: string, node: string, perSecond: number, nowMs: number): number {
    if (perSecond <= 0) return Infinity
    const last = this.#last.get(zone)
    // A write that failed is tried again on the same token.
    if (last && last.node !== node) {
      const leftMs = last.atMs + 1000 / perSecond - nowMs
      if (leftMs > 0) return leftMs
    }
    this.#last.set(zone, { atMs: nowMs, node })
    return 0
  }
}
