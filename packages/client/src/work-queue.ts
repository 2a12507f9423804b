/**
 * A queue of keys for controllers. It promises: a key is handed out to one worker at a time; a key added
 * while it waits is handed out once; a key added while it is worked on is handed out again afterwards; keys
 * come in the order in which they were added. The number of keys is bounded by the number of objects.
 * Mirrors: client-go util/workqueue
 */
import { abortable, deferred, type Clock, type Deferred, type Env } from "@knarr/base"
import { WorkQueueMetrics } from "./work-queue-metrics.ts"

export interface WorkQueue {
  readonly length: number
  add(key: string): void
  /** Adds the key in `ms` milliseconds; the earliest of several wins. */
  addAfter(key: string, ms: number): void
  /** Adds the key after its back-off: 5 ms, doubled with each failure, at most 1,000 s. */
  addRateLimited(key: string): void
  /** Forgets the key's failures. */
  forget(key: string): void
  /** How often the key has failed since it was last forgotten. */
  failures(key: string): number
  /** The next key; the caller must call `done` with it. Rejects with the signal's reason. */
  get(signal: AbortSignal): Promise<string>
  done(key: string): void
}

const baseDelayMs = 5
const maxDelayMs = 1_000_000

/** `name` is the queue's in metrics, for example `deployment`. */
export function createWorkQueue(env: Pick<Env, "clock" | "meter">, name: string): WorkQueue & Disposable {
  return new KeyQueue(env, name)
}

class KeyQueue implements WorkQueue, Disposable {
  readonly #clock: Clock
  readonly #metrics: WorkQueueMetrics
  /** Keys to hand out, in order. */
  readonly #waiting = new Set<string>()
  /** Keys that a worker has; true when they were added again meanwhile. */
  readonly #working = new Map<string, boolean>()
  readonly #failures = new Map<string, number>()
  readonly #later = new Map<string, { at: number; timer: Disposable }>()
  #takers: Deferred<void>[] = []

  constructor({ clock, meter }: Pick<Env, "clock" | "meter">, name: string) {
    this.#clock = clock
    this.#metrics = new WorkQueueMetrics(clock, meter, name, () => this.length)
  }

  get length(): number {
    return this.#waiting.size
  }

  add(key: string): void {
    const again = this.#working.get(key)
    if (again || this.#waiting.has(key)) return
    this.#metrics.added(key)
    if (again === false) {
      this.#working.set(key, true)
      return
    }
    this.#waiting.add(key)
    this.#takers.shift()?.resolve()
  }

  addAfter(key: string, ms: number): void {
    this.#metrics.retried()
    if (ms <= 0) return this.add(key)
    const at = this.#clock.monotonic() + ms
    const known = this.#later.get(key)
    if (known) {
      if (known.at <= at) return
      known.timer[Symbol.dispose]()
    }
    const timer = this.#clock.timer(ms, () => {
      this.#later.delete(key)
      this.add(key)
    })
    this.#later.set(key, { at, timer })
  }

  addRateLimited(key: string): void {
    const failures = this.failures(key)
    this.#failures.set(key, failures + 1)
    this.addAfter(key, Math.min(baseDelayMs * 2 ** failures, maxDelayMs))
  }

  forget(key: string): void {
    this.#failures.delete(key)
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0
  }

  async get(signal: AbortSignal): Promise<string> {
    for (;;) {
      signal.throwIfAborted()
      for (const key of this.#waiting) {
        this.#waiting.delete(key)
        this.#working.set(key, false)
        this.#metrics.taken(key)
        return key
      }
      const turn = deferred()
      this.#takers.push(turn)
      try {
        await abortable(turn.promise, signal)
      } finally {
        this.#takers = this.#takers.filter((taker) => taker !== turn)
      }
    }
  }

  done(key: string): void {
    const again = this.#working.get(key)
    this.#working.delete(key)
    this.#metrics.done(key)
    if (!again) return
    this.#waiting.add(key)
    this.#takers.shift()?.resolve()
  }

  [Symbol.dispose](): void {
    this.#metrics[Symbol.dispose]()
    for (const { timer } of this.#later.values()) timer[Symbol.dispose]()
    this.#later.clear()
  }
}
