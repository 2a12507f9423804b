/**
 * How long something that keeps failing has to wait: doubling, forgotten after a good while.
 * Mirrors: client-go util/flowcontrol/backoff.go
 */

interface Entry {
  delayMs: number
  updatedMs: number
}

const maxEntries = 10_000

/** One back-off per key. Times are on any one clock, in milliseconds. */
export class Backoffs {
  readonly #entries = new Map<string, Entry>()
  readonly #firstMs: number
  readonly #maxMs: number

  constructor(firstMs: number = 10_000, maxMs: number = 300_000) {
    this.#firstMs = firstMs
    this.#maxMs = maxMs
  }

  /** How long to wait yet after a failure at `sinceMs`; 0: go ahead. */
  remainingMs(key: string, sinceMs: number, nowMs: number): number {
    const entry = this.#entries.get(key)
    if (!entry || this.#isOver(entry, sinceMs)) return 0
    return Math.max(0, entry.delayMs - (nowMs - sinceMs))
  }

  /** The present delay. */
  delayMs(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0
  }

  /** Notes another try, after a failure at `sinceMs`. */
  next(key: string, sinceMs: number, nowMs: number): void {
    const entry = this.#entries.get(key)
    if (!entry || this.#isOver(entry, sinceMs)) {
      if (this.#entries.size >= maxEntries) this.#entries.delete(this.#entries.keys().next().value!)
      this.#entries.set(key, { delayMs: this.#firstMs, updatedMs: nowMs })
      return
    }
    entry.delayMs = Math.min(entry.delayMs * 2, this.#maxMs)
    entry.updatedMs = nowMs
  }

  /** Forgets every key that begins with `prefix`. */
  forget(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key)
  }

  #isOver(entry: Entry, sinceMs: number): boolean {
    return sinceMs - entry.updatedMs > this.#maxMs * 2
  }
}
