/** Deadlines of one length, of which there are many at a time and few pass: one timer serves them all. */
import type { Clock } from "@knarr/base"

interface Deadline extends Disposable {
  /** On the monotonic clock. */
  readonly atMs: number
  readonly onPassed: () => void
}

export class Deadlines {
  readonly #clock: Pick<Clock, "monotonic" | "timer">
  readonly #ms: number
  /** In the order in which they were set, and so in that in which they pass. */
  readonly #open = new Set<Deadline>()
  /** There is one while a deadline is open; it comes no later than the first of them. */
  #timer: Disposable | undefined

  /** All of them `ms` milliseconds long. */
  constructor(clock: Pick<Clock, "monotonic" | "timer">, ms: number) {
    this.#clock = clock
    this.#ms = ms
  }

  /** Calls `onPassed` after the time, unless what it answers is disposed before. `nowMs`: the monotonic clock's. */
  set(nowMs: number, onPassed: () => void): Disposable {
    const deadline: Deadline = {
      atMs: nowMs + this.#ms,
      onPassed,
      [Symbol.dispose]: () => this.#end(deadline),
    }
    this.#open.add(deadline)
    this.#timer ??= this.#clock.timer(this.#ms, () => this.#pass())
    return deadline
  }

  #end(deadline: Deadline): void {
    this.#open.delete(deadline)
    if (this.#open.size > 0) return
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }

  /** Instead of the timer that one set just now may have begun, for later. */
  #wait(ms: number): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = this.#clock.timer(ms, () => this.#pass())
  }

  #pass(): void {
    this.#timer = undefined
    const nowMs = this.#clock.monotonic()
    for (const deadline of this.#open) {
      const leftMs = deadline.atMs - nowMs
      // Timers may come a moment early.
      if (leftMs > 1) {
        this.#wait(leftMs)
        return
      }
      this.#open.delete(deadline)
      deadline.onPassed()
    }
  }
}
