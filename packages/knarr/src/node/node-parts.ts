/**
 * Starts a node's parts in the order of what they need, each in a scope of its own, and ends them the other way round.
 *
 *     waiting ── what it needs runs ──▶ starting ──▶ running ── asked to end, or a need ends ──▶ ending ──▶ waiting
 *                                          └────────────┴──────────── failed ◀─ back-off ─┘
 *
 * A part is ending until those that need it have ended. One that cannot be ended in time fails the whole node: its
 * process ends and is started anew.
 */
import {
  TimeoutError,
  abortable,
  deferred,
  messageOf,
  withTimeout,
  type Deferred,
  type Env,
  type Scope,
} from "@knarr/base"
import { failedTimes, taskCheck, type HealthCheck } from "@knarr/kubelet"
import type { NodeContext, NodePart, PartDeps, RunningPart } from "./node-part.ts"

export interface NodePartsOptions {
  readonly env: Env
  /** Its failure is the node's end. */
  readonly scope: Scope
  readonly node: NodeContext
  /** Called with each failure of a part before {@link NodeParts.started}. */
  readonly onEarlyFailure?: (error: Error) => void
}

export interface NodeParts {
  /** Resolves when each part has run. */
  started(signal: AbortSignal): Promise<void>
  /** A check per part: it has not failed and says that it is well. And one of the tasks within them. */
  readonly health: readonly HealthCheck[]
  /** The same checks; each part runs, too. */
  readonly readiness: readonly HealthCheck[]
}

/** In this time a part has ended; so much is left of a process's limit that the parts it needs may end, too. */
const endLimitMs = 5_000

interface Failure {
  readonly thrown: unknown
}

interface Slot {
  readonly part: NodePart
  readonly needs: readonly Slot[]
  readonly uses: readonly Slot[]
  state: "waiting" | "starting" | "running" | "ending" | "failed"
  /** Number of starts that succeeded. */
  starts: number
  failures: number
  problem: string
  running: RunningPart<unknown> | undefined
}

/** Starts the parts and returns. Throws for a list that cannot be: a name twice, a need that is not in it. */
export function startNodeParts(parts: readonly NodePart[], options: NodePartsOptions): NodeParts {
  const run = new Run(arrange(parts), options)
  run.start()
  return run
}

/** The parts with those they depend on, which stand before them in the list. */
function arrange(parts: readonly NodePart[]): Slot[] {
  const slots = new Map<NodePart, Slot>()
  const names = new Set(["ping", "tasks"])
  for (const part of parts) {
    if (names.has(part.name)) throw new Error(`Cannot start the node: two parts are called "${part.name}"`)
    names.add(part.name)
    const slotOf = (other: NodePart): Slot => {
      const slot = slots.get(other)
      if (slot) return slot
      throw new Error(`Cannot start the node: "${part.name}" comes before "${other.name}", or has none`)
    }
    const dependencies = { needs: part.needs.map(slotOf), uses: (part.uses ?? []).map(slotOf) }
    slots.set(part, {
      ...{ part, ...dependencies, state: "waiting", starts: 0, failures: 0, problem: "", running: undefined },
    })
  }
  return [...slots.values()]
}

class Run implements NodeParts {
  readonly #slots: readonly Slot[]
  readonly #options: NodePartsOptions
  readonly #tasks: HealthCheck
  readonly #started = deferred()
  /** Rejected with what ends the node. */
  readonly #stuck = deferred<never>()
  /** Replaced, and resolved, whenever a state changes. */
  #change: Deferred<void> = deferred()

  constructor(slots: readonly Slot[], options: NodePartsOptions) {
    this.#slots = slots
    this.#options = options
    const { scope } = options
    // The parts tell themselves how they are.
    const parts = new Set(slots.map(({ part }) => `${scope.name}/${part.name}`))
    this.#tasks = taskCheck(() => scope.troubles().filter(({ task }) => !parts.has(task)))
  }

  get health(): readonly HealthCheck[] {
    const parts = this.#slots.map((slot) => ({ name: slot.part.name, check: () => problemOf(slot) }))
    return [this.#tasks, ...parts]
  }

  get readiness(): readonly HealthCheck[] {
    const check = (slot: Slot): string | undefined =>
      problemOf(slot) ?? (slot.state === "running" ? undefined : `it is ${slot.state}`)
    const parts = this.#slots.map((slot) => ({ name: slot.part.name, check: () => check(slot) }))
    return [this.#tasks, ...parts]
  }

  started(signal: AbortSignal): Promise<void> {
    return abortable(this.#started.promise, signal)
  }

  start(): void {
    const { scope } = this.#options
    scope.run("node parts", (signal) => abortable(this.#stuck.promise, signal))
    for (const slot of this.#slots)
      scope.run(slot.part.name, (signal) => this.#serve(slot, signal), { restart: slot.part.restart ?? true })
    if (this.#slots.length === 0) this.#started.resolve()
  }

  #set(slot: Slot, state: Slot["state"]): void {
    slot.state = state
    this.#change.resolve()
    this.#change = deferred()
  }

  async #until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isSo()) await abortable(this.#change.promise, signal)
  }

  /** Until `signal` is aborted, or the part fails. */
  async #serve(slot: Slot, signal: AbortSignal): Promise<void> {
    const mayStart = (): boolean => slot.needs.every(isRunning) && slot.uses.every(isTried)
    while (!signal.aborted) {
      await this.#until(mayStart, signal)
      await this.#live(slot, signal)
    }
  }

  /** One life of a part. Throws what it failed of; returns when it had to end. */
  async #live(slot: Slot, signal: AbortSignal): Promise<void> {
    const { part } = slot
    // It ends in its turn, not when the node's scope begins to close.
    const how = { contained: true, silent: true, lasting: true }
    const scope = this.#options.scope.child(part.name, how)
    const basis = basisOf(slot)
    const life = new AbortController()
    const over = deferred()
    scope.signal.addEventListener("abort", () => over.resolve(), { once: true })
    const end = (): void => over.resolve()
    signal.addEventListener("abort", end, { once: true })
    void this.#until(() => basisOf(slot) !== basis, life.signal).then(end, () => {})
    this.#set(slot, "starting")
    let failure = await this.#startAndWait(slot, scope, over.promise)
    life.abort()
    signal.removeEventListener("abort", end)
    // What fails because it has to end has not failed.
    if (signal.aborted || basisOf(slot) !== basis) failure = undefined
    slot.problem = failure ? messageOf(failure.thrown) : ""
    slot.running = undefined
    this.#set(slot, "ending")
    const isOver = signal.aborted
    const users = this.#slots.filter(
      ({ needs, uses }) => needs.includes(slot) || (isOver && uses.includes(slot)),
    )
    // Each of them ends or fails the node, so this waits for no signal.
    await this.#until(() => users.every(hasEnded), new AbortController().signal)
    await this.#close(slot, scope)
    if (!failure) return this.#set(slot, "waiting")
    slot.failures++
    this.#set(slot, "failed")
    if (slot.starts === 0) this.#options.onEarlyFailure?.(new Error(`${part.name}: ${slot.problem}`))
    throw failure.thrown
  }

  /** Resolves when the part's life is over, with what it failed of if it did. */
  async #startAndWait(slot: Slot, scope: Scope, over: Promise<void>): Promise<Failure | undefined> {
    let failure: Failure | undefined
    try {
      const { env, node } = this.#options
      const named = { ...env, log: env.log.with({ component: slot.part.name }) }
      // Also of a part that was told to end while it started.
      const started = slot.part.start(named, node, this.#depsOf(slot, scope)).then((running) => {
        if (running.close) scope.defer(running.close)
        return running
      })
      const running = await Promise.race([started, over])
      if (running && !scope.signal.aborted) {
        slot.running = running
        slot.starts++
        this.#set(slot, "running")
        if (this.#slots.every(({ starts }) => starts > 0)) this.#started.resolve()
        const { run } = running
        if (run)
          scope.run("run", async (signal) => {
            try {
              await run(signal)
              if (!signal.aborted) throw new Error("it ended by itself")
            } catch (thrown) {
              failure ??= { thrown }
              throw thrown
            }
          })
        await over
      }
    } catch (thrown) {
      failure = { thrown }
    }
    return failure ?? (scope.signal.aborted ? { thrown: scope.signal.reason } : undefined)
  }

  #depsOf({ part, needs, uses }: Slot, scope: Scope): PartDeps {
    const find = (among: readonly Slot[], wanted: NodePart, how: string): Slot => {
      const found = among.find((one) => one.part === wanted)
      if (found) return found
      throw new Error(`Cannot ask for "${wanted.name}": "${part.name}" does not name it in ${how}`)
    }
    return {
      scope,
      need: <Provided>(wanted: NodePart<Provided>) =>
        find(needs, wanted, "needs").running!.provides as Provided,
      use: <Provided>(wanted: NodePart<Provided>) =>
        find(uses, wanted, "uses").running?.provides as Provided | undefined,
      health: this.health,
    }
  }

  async #close(slot: Slot, scope: Scope): Promise<void> {
    const { clock } = this.#options.env
    const never = new AbortController().signal
    const closing = scope.close()
    try {
      await withTimeout(clock, endLimitMs, `the end of ${slot.part.name}`, never, (inner) =>
        abortable(closing, inner),
      )
    } catch (thrown) {
      // What failed in the scope is known.
      if (thrown instanceof TimeoutError) this.#stuck.reject(thrown)
    }
  }
}

function isRunning({ state }: Slot): boolean {
  return state === "running"
}

function hasEnded({ state }: Slot): boolean {
  return state === "waiting" || state === "failed"
}

/** True when there is nothing to wait for: it runs, or has failed, or cannot start. */
function isTried(slot: Slot): boolean {
  return isRunning(slot) || slot.failures > 0 || slot.needs.some((one) => !isRunning(one) && isTried(one))
}

/** Which starts of others this part stands on; another text means that it has to start again. */
function basisOf({ needs, uses }: Slot): string {
  const needed = needs.map((one) => (isRunning(one) ? one.starts : "none"))
  return [...needed, ...uses.map(({ starts }) => starts)].join(" ")
}

function problemOf({ state, needs, running, failures, problem }: Slot): string | undefined {
  if (state === "running") return running?.healthy?.()
  if (problem !== "" && failures > 0 && state !== "starting") return `${failedTimes(failures)}: ${problem}`
  const missing = needs.filter((one) => one.failures > 0 && !isRunning(one)).map((one) => one.part.name)
  return missing.length > 0 ? `it waits for ${missing.join(", ")}` : undefined
}
