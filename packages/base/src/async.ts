/** Small tools for asynchronous code. All waits take a signal and reject with its reason. */

export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(reason: unknown): void
}

export function deferred<T = void>(): Deferred<T> {
  return Promise.withResolvers<T>()
}

/** `promise`, or a rejection with `signal.reason`, whichever comes first. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener("abort", onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort))
  })
}

/**
 * Calls `next` with a value that is there, or will be: at once when it is, so that what need not wait makes no promise.
 * What `next` throws, or the promise rejects with, comes out the same way.
 */
export function whenReady<T, U>(value: T | Promise<T>, next: (value: T) => U | Promise<U>): U | Promise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** Does `work` with one item after the other. A promise comes back from the first that waits on; none when nothing does. */
export function inTurn<T>(
  items: readonly T[],
  work: (item: T) => void | Promise<void>,
  from = 0,
): void | Promise<void> {
  for (let i = from; i < items.length; i++) {
    const wait = work(items[i]!)
    if (wait) return wait.then(() => inTurn(items, work, i + 1))
  }
}

/**
 * A bounded queue between one producer and one consumer. `push` returns false when the bound is reached (the
 * item was not taken: the producer decides whether to close or to drop). Iteration ends after `close()` once
 * the queue is empty, and throws the error given to `fail()`.
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly #bound: number
  #items: T[] = []
  #head = 0
  #waiting: Deferred<void> | undefined
  #ended: { error?: unknown } | undefined

  constructor(bound: number) {
    this.#bound = bound
  }

  get size(): number {
    return this.#items.length - this.#head
  }

  get closed(): boolean {
    return this.#ended !== undefined
  }

  push(item: T): boolean {
    if (this.#ended || this.size >= this.#bound) return false
    this.#items.push(item)
    this.#wake()
    return true
  }

  /** No more items; what is queued is still delivered. */
  close(): void {
    this.#ended ??= {}
    this.#wake()
  }

  /** No more items; what is queued is still delivered, then iteration throws `error`. */
  fail(error: unknown): void {
    this.#ended ??= { error }
    this.#wake()
  }

  /** The next item, or undefined at the end. */
  async next(signal: AbortSignal): Promise<T | undefined> {
    for (;;) {
      signal.throwIfAborted()
      if (this.size > 0) return this.#shift()
      if (this.#ended) {
        if ("error" in this.#ended) throw this.#ended.error
        return undefined
      }
      this.#waiting ??= deferred()
      await abortable(this.#waiting.promise, signal)
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    const never = new AbortController().signal
    for (;;) {
      const item = await this.next(never)
      if (item === undefined) return
      yield item
    }
  }

  #shift(): T {
    const item = this.#items[this.#head]!
    this.#items[this.#head++] = undefined as T
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    }
    return item
  }

  #wake(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}

/** At most `limit` holders at a time, first come first served. */
export class Semaphore {
  #free: number
  readonly #waiting: Deferred<void>[] = []

  constructor(limit: number) {
    this.#free = limit
  }

  async acquire(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    if (this.#free > 0) this.#free--
    else {
      const turn = deferred()
      this.#waiting.push(turn)
      try {
        await abortable(turn.promise, signal)
      } catch (thrown) {
        const at = this.#waiting.indexOf(turn)
        if (at >= 0) this.#waiting.splice(at, 1)
        else this.#release()
        throw thrown
      }
    }
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release()
        held = false
      },
    }
  }

  #release(): void {
    const next = this.#waiting.shift()
    if (next) next.resolve()
    else this.#free++
  }
}
