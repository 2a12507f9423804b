/**
 * The one back-off: how long to wait before the next try of what failed. Mirrors: apimachinery pkg/util/wait/backoff.go
 */
import type { Clock } from "./clock.ts"
import type { Random } from "./random.ts"

export interface BackoffOptions {
  /** The first wait, in milliseconds. */
  readonly firstMs: number
  /** No wait is longer, but for its jitter. */
  readonly maxMs: number
  /** By what each wait is longer than the one before. Default 2. */
  readonly factor?: number
  /** Each wait is longer by up to this share of it, by chance, so that many that failed together do not come together. Default: 0. */
  readonly jitter?: { readonly share: number; readonly random: Random }
}

/** Of one thing that is tried again and again: counts its failures since it last went well. */
export class Backoff {
  readonly #options: BackoffOptions
  #nextMs: number

  constructor(options: BackoffOptions) {
    this.#options = options
    this.#nextMs = options.firstMs
  }

  /** After a failure: milliseconds to wait now. */
  next(): number {
    const { factor = 2, maxMs, jitter } = this.#options
    const ms = this.#nextMs
    this.#nextMs = Math.min(ms * factor, maxMs)
    return jitter ? ms * (1 + jitter.share * jitter.random.next()) : ms
  }

  /** It went well: the next failure is the first again. */
  reset(): void {
    this.#nextMs = this.#options.firstMs
  }

  /** Waits as long as {@link next} says. Throws the signal's reason when it is aborted. */
  wait(clock: Clock, signal: AbortSignal): Promise<void> {
    return clock.sleep(this.next(), signal)
  }
}
