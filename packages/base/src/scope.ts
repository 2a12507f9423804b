/**
 * A Scope owns background work and resources: closing it aborts its signal, closes its children, waits for
 * its tasks and disposes of its resources, newest first. Nothing runs outside a scope.
 *
 * It supervises, too. A task that fails is logged once, with its name and cause, and then one of three things
 * happens, as its owner said when it was started:
 *
 *   - nothing said: the scope fails, and with it its parent, up to the root, whose owner ends the process;
 *   - `restart`: the task begins again after a back-off, is counted, and is told of by {@link Scope.troubles};
 *   - `contained`: it was one piece of work (a connection, an object's turn), and its failure ends with it.
 */
import { Backoff } from "./backoff.ts"
import type { Env } from "./env.ts"
import { CancelledError, asError } from "./errors.ts"
import { silentLogger } from "./log.ts"
import { openScopes } from "./open-scopes.ts"

/** How a task that failed begins again. All times in milliseconds. */
export interface RestartPolicy {
  /** The first pause; it doubles with each failure. Default 100. */
  readonly firstMs?: number
  /** The longest pause. Default 30,000. */
  readonly maxMs?: number
  /** A task that ran this long before it failed begins with the first pause again. Default 60,000. */
  readonly resetMs?: number
}

export interface TaskOptions {
  /** Begin again after a failure; `true` for the default {@link RestartPolicy}. Without an `env` nothing restarts. */
  readonly restart?: RestartPolicy | true
  /** Log a failure and let it end there. */
  readonly contained?: boolean
}

/** A task that failed and was started again. */
export interface TaskTrouble {
  /** With the names of its scopes: `server/scheduler/scheduling`. */
  readonly task: string
  readonly restarts: number
  /** What the last failure said. */
  readonly error: string
  /** True while it waits for its next start. */
  readonly waiting: boolean
}

export interface ScopeOptions {
  /** Says what failed and measures back-off. Default: nothing is logged and no task restarts; `close` tells why. */
  readonly env?: Pick<Env, "clock" | "log"> | undefined
}

export interface ChildOptions {
  /** What fails in the child ends with the child: its owner looks at `signal`, or at what `close` throws. */
  readonly contained?: boolean
  /** With `contained`: the owner tells what failed in it, and nobody else logs it. */
  readonly silent?: boolean
  /** It ends in its turn among the resources: after the parent's tasks, its other children and what it was given later. */
  readonly lasting?: boolean
}

const defaultPolicy = { firstMs: 100, maxMs: 30_000, resetMs: 60_000 }

interface Lineage {
  readonly parent: Scope
  readonly contained: boolean
  readonly silent: boolean
}

export class Scope implements AsyncDisposable {
  readonly name: string
  readonly #controller = new AbortController()
  readonly #tasks = new Set<Promise<void>>()
  readonly #resources = new Set<Disposable | AsyncDisposable>()
  readonly #children = new Set<Scope>()
  readonly #lineage: Lineage | undefined
  readonly #env: Pick<Env, "clock" | "log"> | undefined
  /** Of the root: tasks that failed and were started again. */
  readonly #troubles = new Map<string, TaskTrouble>()
  #closing: Promise<void> | undefined
  #failure: { readonly error: Error } | undefined

  constructor(name: string, options: ScopeOptions = {}, lineage?: Lineage) {
    this.name = name
    this.#env = options.env
    this.#lineage = lineage
    openScopes.add(this)
  }

  /** Aborted when the scope begins to close; its reason is a {@link CancelledError} unless a task failed. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** A scope that closes with this one, and unlinks itself when it closes earlier. One of a closed scope is closed. */
  child(name: string, { contained = false, silent = false, lasting = false }: ChildOptions = {}): Scope {
    const lineage = { parent: this, contained, silent }
    const child = new Scope(`${this.name}/${name}`, { env: this.#env }, lineage)
    if (this.signal.aborted) void child.close(this.signal.reason).catch((thrown) => this.#report(thrown))
    else if (lasting) this.#resources.add(child)
    else this.#children.add(child)
    return child
  }

  /**
   * Starts background work; a rejection after the scope's abort is the expected end of a cancelled task. For
   * what a failure means see {@link Scope}. On a closed scope nothing is started.
   */
  run(name: string, fn: (signal: AbortSignal) => Promise<void>, options: TaskOptions = {}): void {
    if (this.signal.aborted) return
    const task = this.#supervise(`${this.name}/${name}`, fn, options).finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  async #supervise(
    task: string,
    fn: (signal: AbortSignal) => Promise<void>,
    { restart, contained = false }: TaskOptions,
  ): Promise<void> {
    const policy = { ...defaultPolicy, ...(restart === true ? {} : restart) }
    const { clock, log = silentLogger } = this.#env ?? {}
    const { troubles } = this.#root()
    const backoff = new Backoff(policy)
    for (let restarts = 1; ; restarts++) {
      const startedMs = clock?.monotonic() ?? 0
      try {
        await fn(this.signal)
        return void troubles.delete(task)
      } catch (thrown) {
        if (this.signal.aborted) return void troubles.delete(task)
        if (contained) return log.error("A task failed", thrown, { task })
        if (!restart || !clock) return this.#fail(task, thrown)
        if (clock.monotonic() - startedMs >= policy.resetMs) backoff.reset()
        const pauseMs = backoff.next()
        log.error("A task failed and is started again", thrown, { task, restarts, seconds: pauseMs / 1000 })
        const error = asError(thrown).message
        troubles.set(task, { task, restarts, error, waiting: true })
        await clock.sleep(pauseMs, this.signal).catch(() => {})
        if (this.signal.aborted) return void troubles.delete(task)
        troubles.set(task, { task, restarts, error, waiting: false })
      }
    }
  }

  /** Logged here, once; then the failure climbs to whoever can act. */
  #fail(task: string, thrown: unknown): void {
    if (this.#isLogged()) this.#env?.log.error("A task failed", thrown, { task })
    this.#climb(new Error(`Task "${task}" failed: ${asError(thrown).message}`, { cause: thrown }))
  }

  /** Unless the failure climbs to a scope whose owner tells it. */
  #isLogged(): boolean {
    const lineage = this.#lineage
    if (!lineage) return true
    return lineage.contained ? !lineage.silent : lineage.parent.#isLogged()
  }

  #climb(error: Error): void {
    if (this.signal.aborted) return
    this.#failure = { error }
    this.#controller.abort(error)
    for (const child of this.#children) child.#abort(error)
    if (this.#lineage && !this.#lineage.contained) this.#lineage.parent.#climb(error)
  }

  /** What a scope's children do hears of its end at once, not only when the scope is closed. */
  #abort(reason: unknown): void {
    this.#controller.abort(reason)
    for (const child of this.#children) child.#abort(reason)
  }

  #root(): { readonly troubles: Map<string, TaskTrouble> } {
    return this.#lineage ? this.#lineage.parent.#root() : { troubles: this.#troubles }
  }

  /** The tasks of this scope's whole tree, from its root, that failed and were started again. */
  troubles(): readonly TaskTrouble[] {
    return [...this.#root().troubles.values()]
  }

  /** Hands a resource to the scope, which disposes of it on close; at once when it is closed. Returns the resource. */
  use<R extends Disposable | AsyncDisposable>(resource: R): R {
    if (this.signal.aborted) void dispose(resource).catch((thrown) => this.#report(thrown))
    else this.#resources.add(resource)
    return resource
  }

  /** Disposes of a resource before the scope ends. */
  async release(resource: Disposable | AsyncDisposable): Promise<void> {
    if (this.#resources.delete(resource)) await dispose(resource)
  }

  /** Calls `fn` on close; at once when the scope is closed. */
  defer(fn: () => void | Promise<void>): void {
    this.use({ [Symbol.asyncDispose]: async () => fn() })
  }

  /** Stops everything and waits for it. Idempotent. Throws the error of the task that failed, if one did. */
  close(reason: unknown = new CancelledError(this.name)): Promise<void> {
    this.#closing ??= this.#close(reason)
    return this.#closing
  }

  async #close(reason: unknown): Promise<void> {
    this.#abort(reason)
    const errors: unknown[] = []
    const settle = async (promise: Promise<unknown>): Promise<void> => {
      try {
        await promise
      } catch (thrown) {
        errors.push(thrown)
      }
    }
    await Promise.all([...this.#children].map((child) => settle(child.close(reason))))
    while (this.#tasks.size > 0) await Promise.all(this.#tasks)
    for (const resource of [...this.#resources].reverse()) await settle(dispose(resource))
    this.#resources.clear()
    if (this.#lineage) {
      this.#lineage.parent.#children.delete(this)
      this.#lineage.parent.#resources.delete(this)
    }
    openScopes.delete(this)
    if (this.#failure) throw this.#failure.error
    if (errors.length > 0) throw errors[0]
  }

  #report(thrown: unknown): void {
    this.#env?.log.error("What was handed to a closed scope cannot be ended", thrown, { scope: this.name })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

async function dispose(resource: Disposable | AsyncDisposable): Promise<void> {
  if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]()
  else resource[Symbol.dispose]()
}
