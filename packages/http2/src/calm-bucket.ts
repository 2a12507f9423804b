/** How often a peer may do what costs more here than there. */
import type { Clock } from "@knarr/base"

/** So many at once, and so many a second in the long run: as nghttp2 bounds resets. */
const burst = 1000
const perSecond = 33

export class CalmBucket {
  readonly #clock: Clock
  #tokens = burst
  #since: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#since = clock.monotonic()
  }

  /** False when it was too often. */
  take(): boolean {
    const now = this.#clock.monotonic()
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#since) / 1000) * perSecond)
    this.#since = now
    this.#tokens--
    return this.#tokens >= 0
  }
}
