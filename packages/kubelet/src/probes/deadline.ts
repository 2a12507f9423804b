/** Waits for the first of: an answer from the network, a deadline, an abort. */
import type { Clock } from "@knarr/base"

interface Attempt<T> {
  /** Lets go of everything. Called once, whatever the end. */
  stop(): void
  /** The answer when the time is over. */
  late(): T
}

export function withDeadline<T>(
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
  start: (settle: (answer: T) => void) => Attempt<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    let over = false
    const finish = (): boolean => {
      if (over) return false
      over = true
      timer[Symbol.dispose]()
      signal.removeEventListener("abort", onAbort)
      // The attempt may settle before it has been returned.
      queueMicrotask(() => attempt.stop())
      return true
    }
    const onAbort = (): void => {
      if (finish()) reject(signal.reason)
    }
    const timer = clock.timer(timeoutMs, () => {
      if (over) return
      const answer = attempt.late()
      if (finish()) resolve(answer)
    })
    signal.addEventListener("abort", onAbort, { once: true })
    let attempt: Attempt<T>
    try {
      attempt = start((answer) => {
        if (finish()) resolve(answer)
      })
    } catch (thrown) {
      over = true
      timer[Symbol.dispose]()
      signal.removeEventListener("abort", onAbort)
      reject(thrown)
    }
  })
}
