/**
 * Time comes from outside. Every component takes a {@link Clock} and never touches `Date`, `setTimeout` or
 * `performance` itself, so that a whole cluster can run on a virtual clock (see virtual-clock.ts).
 */
import { TimeoutError } from "./errors.ts"

export interface Clock {
  /** Wall time in milliseconds since the Unix epoch. */
  now(): number
  /** Milliseconds since an arbitrary start; never goes backwards. */
  monotonic(): number
  /** Calls `fn` once, `ms` milliseconds from now (at least one turn later). Disposing it first cancels the call. */
  timer(ms: number, fn: () => void): Disposable
  /** Resolves after `ms` milliseconds; rejects with `signal.reason` as soon as the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /**
   * Until it is disposed virtual time stands still, for at most `limitMs` milliseconds of the machine's: the answer of
   * something outside is waited for. The machine's clock goes on.
   */
  hold(limitMs: number): Disposable
}

/** The longest delay that Node's timers accept; a longer one is taken in steps. */
const maxDelayMs = 2 ** 31 - 1

class SystemClock implements Clock {
  now(): number {
    return Date.now()
  }

  monotonic(): number {
    return performance.now()
  }

  timer(ms: number, fn: () => void): Disposable {
    let handle: NodeJS.Timeout
    const arm = (left: number): void => {
      const step = Math.min(Math.max(left, 0), maxDelayMs)
      handle = setTimeout(() => (left > step ? arm(left - step) : fn()), step)
    }
    arm(ms)
    return { [Symbol.dispose]: () => clearTimeout(handle) }
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal)
  }

  hold(): Disposable {
    return { [Symbol.dispose]() {} }
  }
}

/** `Clock.sleep` in terms of `Clock.timer`, for implementations of {@link Clock}. */
export function sleepOn(clock: Pick<Clock, "timer">, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const onAbort = (): void => {
      timer[Symbol.dispose]()
      reject(signal.reason)
    }
    const timer = clock.timer(ms, () => {
      signal.removeEventListener("abort", onAbort)
      resolve()
    })
    signal.addEventListener("abort", onAbort, { once: true })
  })
}

/** The machine's own clock. */
export const systemClock: Clock = new SystemClock()

/**
 * Runs `fn` with a signal that is aborted when `signal` is, or with a {@link TimeoutError} named `what` after
 * `ms` milliseconds. Always unlinks from `signal`. Rejects with whatever `fn` rejects with.
 */
export async function withTimeout<T>(
  clock: Clock,
  ms: number,
  what: string,
  signal: AbortSignal,
  fn: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const onAbort = (): void => controller.abort(signal.reason)
  signal.addEventListener("abort", onAbort, { once: true })
  using _timer = clock.timer(ms, () => controller.abort(new TimeoutError(what, ms)))
  try {
    return await fn(controller.signal)
  } finally {
    signal.removeEventListener("abort", onAbort)
  }
}
