/**
 * A clock that only moves when told: the next timer fires as soon as nothing else is left to do. With
 * in-memory parts on all sides, a day of cluster life takes a moment, in the same order every time.
 */
import { sleepOn, type Clock } from "./clock.ts"
import { TimeoutError } from "./errors.ts"

interface Timer {
  readonly at: number
  readonly order: number
  readonly fn: () => void
}

export class VirtualClock implements Clock {
  #now: number
  readonly #start: number
  /** By how much the time of day was set. */
  #set = 0
  #order = 0
  /** A binary heap on (at, order): timers of the same moment fire in the order in which they were set. */
  readonly #heap: Timer[] = []
  readonly #cancelled = new Set<Timer>()
  readonly #holds = new Set<Disposable>()
  #released: (() => void)[] = []

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#now = this.#start = startMs
  }

  now(): number {
    return Math.floor(this.#now + this.#set)
  }

  /** Sets the time of day forward or, with a negative number, back: timers and what was measured stay as they are. */
  jump(ms: number): void {
    this.#set += ms
  }

  monotonic(): number {
    return this.#now - this.#start
  }

  timer(ms: number, fn: () => void): Disposable {
    const timer: Timer = { at: this.#now + Math.max(ms, 0), order: this.#order++, fn }
    this.#push(timer)
    return {
      [Symbol.dispose]: () => {
        if (timer.at >= this.#now) this.#cancelled.add(timer)
      },
    }
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal)
  }

  hold(limitMs: number): Disposable {
    const hold: Disposable = {
      [Symbol.dispose]: () => {
        clearTimeout(limit)
        if (!this.#holds.delete(hold) || this.#holds.size > 0) return
        for (const go of this.#released.splice(0)) go()
      },
    }
    const limit = setTimeout(() => hold[Symbol.dispose](), limitMs)
    this.#holds.add(hold)
    return hold
  }

  /**
   * Runs until `done()` holds; it is asked each time nothing is left to do at the present moment. Throws a
   * {@link TimeoutError} named `what` when `limitMs` of virtual time pass first, or nothing is left to wait for.
   */
  async runUntil(done: () => boolean, options: { limitMs: number; what: string }): Promise<void> {
    const end = this.#now + options.limitMs
    for (;;) {
      await this.#settle()
      if (done()) return
      const timer = this.#pop()
      if (!timer || timer.at > end) throw new TimeoutError(options.what, options.limitMs)
      this.#now = timer.at
      timer.fn()
    }
  }

  /** Lets `ms` milliseconds pass. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await this.#settle()
      const timer = this.#pop()
      if (!timer) break
      if (timer.at > end) {
        this.#push(timer)
        break
      }
      this.#now = timer.at
      timer.fn()
    }
    this.#now = end
  }

  /** Resolves when nothing at the present moment is left to do, nor waited for from outside. */
  async #settle(): Promise<void> {
    for (;;) {
      await settle()
      if (this.#holds.size === 0) return
      await new Promise<void>((resolve) => void this.#released.push(resolve))
    }
  }

  #before(a: Timer, b: Timer): boolean {
    return a.at < b.at || (a.at === b.at && a.order < b.order)
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let i = heap.length
    heap.push(timer)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.#before(timer, heap[parent]!)) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = timer
  }

  #pop(): Timer | undefined {
    const heap = this.#heap
    for (;;) {
      const top = heap[0]
      if (!top) return undefined
      const last = heap.pop()!
      if (heap.length > 0) {
        let i = 0
        for (;;) {
          let child = 2 * i + 1
          if (child >= heap.length) break
          if (child + 1 < heap.length && this.#before(heap[child + 1]!, heap[child]!)) child++
          if (!this.#before(heap[child]!, last)) break
          heap[i] = heap[child]!
          i = child
        }
        heap[i] = last
      }
      if (!this.#cancelled.delete(top)) return top
    }
  }
}

/** Resolves when every promise that can go on without a timer or the outside world has done so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
