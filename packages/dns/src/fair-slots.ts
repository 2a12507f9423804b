/** Bounded work, shared fairly: nobody who asks much keeps others from being served. */
import { abortable, deferred, type Clock, type Deferred } from "@knarr/base"

export interface FairSlotsOptions {
  /** At once, of all. */
  readonly total: number
  /** At once, of one source. */
  readonly perSource: number
  /** Waiting, of one source; more are refused. */
  readonly waitingPerSource: number
  /** Waiting, of all. */
  readonly waiting: number
}

interface Source {
  active: number
  readonly waiting: Deferred<void>[]
}

/** Slots for which sources take turns. */
export class FairSlots {
  readonly #options: FairSlotsOptions
  /** Those that have or wait for slots, in the order of their turns. */
  readonly #sources = new Map<string, Source>()
  #active = 0
  #waiting = 0

  constructor(options: FairSlotsOptions) {
    this.#options = options
  }

  get active(): number {
    return this.#active
  }

  /** Undefined when too many wait already. Rejects when `signal` is aborted. */
  async acquire(name: string, signal: AbortSignal): Promise<Disposable | undefined> {
    signal.throwIfAborted()
    const source = this.#sources.get(name) ?? { active: 0, waiting: [] }
    this.#sources.set(name, source)
    if (this.#active < this.#options.total && source.active < this.#options.perSource) this.#take(source)
    else {
      if (source.waiting.length >= this.#options.waitingPerSource || this.#waiting >= this.#options.waiting) {
        this.#forget(name, source)
        return undefined
      }
      const turn = deferred()
      source.waiting.push(turn)
      this.#waiting++
      try {
        await abortable(turn.promise, signal)
      } catch (thrown) {
        const at = source.waiting.indexOf(turn)
        if (at < 0) this.#release(name, source)
        else {
          source.waiting.splice(at, 1)
          this.#waiting--
          this.#forget(name, source)
        }
        throw thrown
      }
    }
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release(name, source)
        held = false
      },
    }
  }

  #take(source: Source): void {
    source.active++
    this.#active++
  }

  #release(name: string, source: Source): void {
    source.active--
    this.#active--
    this.#forget(name, source)
    for (const [next, candidate] of this.#sources) {
      if (candidate.waiting.length === 0 || candidate.active >= this.#options.perSource) continue
      // Who had its turn goes to the end of the row.
      this.#sources.delete(next)
      this.#sources.set(next, candidate)
      this.#waiting--
      this.#take(candidate)
      candidate.waiting.shift()!.resolve()
      return
    }
  }

  #forget(name: string, source: Source): void {
    if (source.active === 0 && source.waiting.length === 0) this.#sources.delete(name)
  }
}

/** At most so many per second of one source, with bursts of as many. Remembers the last `sources` of them. */
export class RateShares {
  readonly #clock: Clock
  readonly #perSecond: number
  readonly #sources: number
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>()

  constructor(
    clock: Clock,
    { perSecond, sources }: { readonly perSecond: number; readonly sources: number },
  ) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#sources = sources
  }

  take(name: string): boolean {
    const nowMs = this.#clock.monotonic()
    let bucket = this.#buckets.get(name)
    if (!bucket) {
      bucket = { tokens: this.#perSecond, atMs: nowMs }
      if (this.#buckets.size >= this.#sources) this.#buckets.delete(this.#buckets.keys().next().value!)
      this.#buckets.set(name, bucket)
    }
    bucket.tokens = Math.min(
      this.#perSecond,
      bucket.tokens + ((nowMs - bucket.atMs) * this.#perSecond) / 1000,
    )
    bucket.atMs = nowMs
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }
}
