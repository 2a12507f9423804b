/**
 * When those who are refused shall come again: later, the more there are of them.
 * Mirrors: apiserver pkg/util/flowcontrol/dropped_requests_tracker.go
 */
const longest = 32

export class RetryAfter {
  #second = -1
  #refused = 0
  /** In seconds. */
  #value = 1

  /** One more is refused at `nowMs`; gives the seconds after which it shall come again. */
  refuse(nowMs: number): number {
    const second = Math.floor(nowMs / 1000)
    if (second !== this.#second) {
      if (this.#second >= 0) this.#adapt(second - this.#second)
      this.#second = second
      this.#refused = 0
    }
    this.#refused++
    return this.#value
  }

  /** Once a second: as many come again as the value spreads over it. */
  #adapt(seconds: number): void {
    const fewer = this.#refused < this.#value || seconds > 1
    if (this.#refused >= 3 * this.#value && seconds === 1) this.#value = Math.min(this.#value * 2, longest)
    else if (fewer) this.#value = Math.max(1, this.#value - seconds)
  }
}
