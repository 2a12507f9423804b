/** Calls that several want at the same time are made once. */
import { abortable } from "@knarr/base"

interface SharedCall<T> {
  readonly promise: Promise<T>
  readonly controller: AbortController
  users: number
}

/** A call goes on for as long as somebody waits for it. */
export class SharedCalls<T> {
  readonly #calls = new Map<string, SharedCall<T>>()

  /** The outcome of the call under that key that is under way, else of `call`. Rejects when `signal` is aborted. */
  async run(key: string, call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    let shared = this.#calls.get(key)
    if (!shared) {
      const controller = new AbortController()
      const promise = call(controller.signal).finally(() => this.#forget(key, promise))
      // Whoever is interested in the outcome waits for it below.
      promise.catch(() => {})
      shared = { promise, controller, users: 0 }
      this.#calls.set(key, shared)
    }
    shared.users++
    try {
      return await abortable(shared.promise, signal)
    } finally {
      if (--shared.users === 0) {
        this.#forget(key, shared.promise)
        shared.controller.abort()
      }
    }
  }

  #forget(key: string, promise: Promise<T>): void {
    if (this.#calls.get(key)?.promise === promise) this.#calls.delete(key)
  }
}
