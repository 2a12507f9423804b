/**
 * Looks at nodes, when somebody asks and only then: the nodes that are asked about, many at once, each one look for all who
 * ask meanwhile. Whoever asks again finds the look before the last one there already; whoever asks first waits for two.
 */
import { abortable, asError, Semaphore, withTimeout, type Env, type Scope } from "@knarr/base"
import { readExposition, type NodeSample } from "./exposition.ts"

/** A look so young is answered with again. */
export const freshForMs = 10_000
/** How old the look before the last may be: use over a longer time tells little of now. */
export const longestWindowMs = 60_000
/** The time between the two looks of who asks first. */
const firstWindowMs = 1500
/** A node that did not answer is not waited for again so soon. */
const failedForMs = 15_000
const scrapeLimitMs = 5000
const scrapesAtOnce = 64
/** What nobody asked for so long is forgotten. */
const forgetMs = 5 * 60_000

export interface SamplesOptions {
  readonly env: Env
  readonly scope: Scope
  /** The text of a node's `/metrics/resource`. */
  scrape(node: string, signal: AbortSignal): Promise<string>
}

interface Look {
  readonly atMs: number
  readonly sample: NodeSample
}

interface NodeState {
  last: Look | undefined
  previous: Look | undefined
  failedAtMs: number
  looking: Promise<void> | undefined
}

export class Samples {
  readonly #options: SamplesOptions
  readonly #nodes = new Map<string, NodeState>()
  readonly #slots = new Semaphore(scrapesAtOnce)
  #sweptMs = 0

  constructor(options: SamplesOptions) {
    this.#options = options
  }

  /** Resolves when of each node there are two looks, the last one fresh, as far as it answers. */
  async refresh(nodes: Iterable<string>, signal: AbortSignal): Promise<void> {
    const nowMs = this.#options.env.clock.now()
    this.#sweep(nowMs)
    const looking: Promise<void>[] = []
    for (const name of nodes) {
      let state = this.#nodes.get(name)
      if (!state)
        this.#nodes.set(
          name,
          (state = { last: undefined, previous: undefined, failedAtMs: -Infinity, looking: undefined }),
        )
      if (state.looking) looking.push(state.looking)
      else if (!isFresh(state, nowMs) && nowMs - state.failedAtMs >= failedForMs)
        looking.push(this.#look(name, state))
    }
    if (looking.length > 0) await abortable(Promise.all(looking), signal)
  }

  /** The last two looks at a node. */
  of(node: string): { readonly last: NodeSample; readonly previous: NodeSample | undefined } | undefined {
    const state = this.#nodes.get(node)
    if (!state?.last || this.#options.env.clock.now() - state.last.atMs > longestWindowMs) return undefined
    return { last: state.last.sample, previous: state.previous?.sample }
  }

  #look(name: string, state: NodeState): Promise<void> {
    const { env, scope } = this.#options
    const look = async (): Promise<void> => {
      try {
        const usable = state.last && env.clock.now() - state.last.atMs <= longestWindowMs
        if (!usable) {
          state.last = undefined
          await this.#scrape(name, state)
          await env.clock.sleep(firstWindowMs, scope.signal)
        }
        await this.#scrape(name, state)
      } catch (thrown) {
        if (scope.signal.aborted) return
        state.failedAtMs = env.clock.now()
        env.log.debug("A node's use of resources cannot be had", { node: name, err: asError(thrown).message })
      } finally {
        state.looking = undefined
      }
    }
    return (state.looking = look())
  }

  async #scrape(name: string, state: NodeState): Promise<void> {
    const { env, scope, scrape } = this.#options
    using _slot = await this.#slots.acquire(scope.signal)
    const text = await withTimeout(
      env.clock,
      scrapeLimitMs,
      `the kubelet of ${name}`,
      scope.signal,
      (limited) => scrape(name, limited),
    )
    const atMs = env.clock.now()
    state.previous = state.last
    state.last = { atMs, sample: readExposition(text, atMs) }
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < forgetMs) return
    this.#sweptMs = nowMs
    for (const [name, { last, failedAtMs, looking }] of this.#nodes)
      if (!looking && nowMs - Math.max(last?.atMs ?? -Infinity, failedAtMs) > forgetMs)
        this.#nodes.delete(name)
  }
}

function isFresh({ last, previous }: NodeState, nowMs: number): boolean {
  return last !== undefined && previous !== undefined && nowMs - last.atMs < freshForMs
}
