/** So many at once, and so many a second in the long run. */
import type { Clock } from "./clock.ts"

export class TokenBucket {
  readonly #clock: Clock
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #sinceMs: number

  /** `burst`: how many tokens it holds, at first too. */
  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#sinceMs = clock.monotonic()
  }

  /** Takes a token, and returns 0; when there is none, milliseconds until there is one, at least 1. */
  take(): number {
    const nowMs = this.#clock.monotonic()
    const grown = ((nowMs - this.#sinceMs) / 1000) * this.#perSecond
    this.#tokens = Math.min(this.#burst, this.#tokens + grown)
    this.#sinceMs = nowMs
    if (this.#tokens < 1) return Math.max(1, ((1 - this.#tokens) / this.#perSecond) * 1000)
    this.#tokens--
    return 0
  }
}
