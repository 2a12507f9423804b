/**
 * A Scope owns background work and resources: closing it aborts its signal, closes its children, waits for
 * its tasks and disposes of its resources, newest first. Nothing runs outside a scope.
 */
import { CancelledError, asError } from "./errors.ts"

export class Scope implements AsyncDisposable {
  readonly name: string
  readonly #controller = new AbortController()
  readonly #tasks = new Set<Promise<void>>()
  readonly #resources: (Disposable | AsyncDisposable)[] = []
  readonly #children = new Set<Scope>()
  readonly #parent: Scope | undefined
  #closing: Promise<void> | undefined
  #failure: { error: Error } | undefined

  constructor(name: string, parent?: Scope) {
    this.name = name
    this.#parent = parent
    if (parent) {
      if (parent.signal.aborted) this.#controller.abort(parent.signal.reason)
      else parent.#children.add(this)
    }
  }

  /** Aborted when the scope begins to close; its reason is a {@link CancelledError} unless a task failed. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** A scope that closes with this one, and unlinks itself when it closes earlier. */
  child(name: string): Scope {
    return new Scope(`${this.name}/${name}`, this)
  }

  /**
   * Starts background work. When `fn` rejects while the scope is open the scope is aborted with that error,
   * which `close()` then throws; a rejection after the abort is the expected end of a cancelled task.
   */
  run(name: string, fn: (signal: AbortSignal) => Promise<void>): void {
    if (this.signal.aborted) return
    const task = (async () => {
      try {
        await fn(this.signal)
      } catch (thrown) {
        if (this.signal.aborted) return
        const error = new Error(`Task "${this.name}/${name}" failed: ${asError(thrown).message}`, {
          cause: thrown,
        })
        this.#failure = { error }
        this.#controller.abort(error)
      }
    })().finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  /** Hands a resource to the scope, which disposes of it on close. Returns the resource. */
  use<R extends Disposable | AsyncDisposable>(resource: R): R {
    this.#resources.push(resource)
    return resource
  }

  /** Calls `fn` on close. */
  defer(fn: () => void | Promise<void>): void {
    this.#resources.push({ [Symbol.asyncDispose]: async () => fn() })
  }

  /** Stops everything and waits for it. Idempotent. Throws the error of the task that failed, if one did. */
  close(reason: unknown = new CancelledError(this.name)): Promise<void> {
    this.#closing ??= this.#close(reason)
    return this.#closing
  }

  async #close(reason: unknown): Promise<void> {
    this.#controller.abort(reason)
    const errors: unknown[] = []
    const settle = async (promise: PromiseLike<unknown>): Promise<void> => {
      try {
        await promise
      } catch (thrown) {
        errors.push(thrown)
      }
    }
    await Promise.all([...this.#children].map((child) => settle(child.close(reason))))
    while (this.#tasks.size > 0) await Promise.all(this.#tasks)
    for (const resource of this.#resources.reverse()) {
      if (Symbol.asyncDispose in resource) await settle(resource[Symbol.asyncDispose]())
      else await settle((async () => resource[Symbol.dispose]())())
    }
    if (this.#parent) this.#parent.#children.delete(this)
    if (this.#failure) throw this.#failure.error
    if (errors.length > 0) throw errors[0]
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
