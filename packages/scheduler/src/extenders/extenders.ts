/** All extenders, asked one after the other. Mirrors: pkg/scheduler/schedule_one.go (findNodesThatPassExtenders, extendersBinding), framework/preemption */
import type { Pod } from "@knarr/api"
import type { Env } from "@knarr/base"
import type { NodeInfo } from "../cache/node-info.ts"
import type { Snapshot } from "../cache/snapshot.ts"
import type { WrittenExtender } from "../config/written.ts"
import type { PluginScores } from "../framework/plugin.ts"
import type { NodeStatuses } from "../framework/status.ts"
import type { Candidate } from "../preemption/candidate.ts"
import { Extender } from "./extender.ts"

/** In whose name extenders refuse pods. */
export const extenderName = "Extender"

export class Extenders implements Disposable {
  readonly #all: readonly Extender[]
  readonly #log: Env["log"]

  /** Throws when one cannot be made. */
  constructor(written: readonly WrittenExtender[], env: Env) {
    this.#log = env.log
    const made = written.map((one) => new Extender(one, env))
    // Those whose failure does not count come last.
    this.#all = [
      ...made.filter(({ isIgnorable }) => !isIgnorable),
      ...made.filter(({ isIgnorable }) => isIgnorable),
    ]
  }

  get isEmpty(): boolean {
    return this.#all.length === 0
  }

  /** The nodes that are left; the others' statuses are written into `statuses`. */
  async filter(
    pod: Readonly<Pod>,
    nodes: readonly NodeInfo[],
    statuses: NodeStatuses,
    signal: AbortSignal,
  ): Promise<readonly NodeInfo[]> {
    let left = nodes
    for (const extender of this.#interested(pod, ({ filters }) => filters)) {
      if (left.length === 0) break
      const answer = await this.#ignoring(extender, signal, () => extender.filter(pod, left, signal))
      if (!answer) continue
      for (const [node, status] of answer.refused) statuses.set(node, status)
      left = answer.feasible
    }
    return left
  }

  /** A failure gives no score. */
  async prioritize(
    pod: Readonly<Pod>,
    nodes: readonly NodeInfo[],
    signal: AbortSignal,
  ): Promise<readonly PluginScores[]> {
    const asked = this.#interested(pod, ({ prioritizes }) => prioritizes).map(async (extender) => {
      try {
        return await extender.prioritize(pod, nodes, signal)
      } catch (thrown) {
        if (signal.aborted) throw thrown
        this.#log.debug("An extender gives no scores", { extender: extender.name, err: thrown })
        return []
      }
    })
    return (await Promise.all(asked)).flat()
  }

  async preempt(
    pod: Readonly<Pod>,
    candidates: readonly Candidate[],
    snapshot: Snapshot,
    signal: AbortSignal,
  ): Promise<readonly Candidate[]> {
    let left = candidates
    for (const extender of this.#interested(pod, ({ preempts }) => preempts)) {
      if (left.length === 0) break
      left =
        (await this.#ignoring(extender, signal, () => extender.preempt(pod, left, snapshot, signal))) ?? left
    }
    return left
  }

  /** Whether one has bound the pod. */
  async bind(pod: Readonly<Pod>, nodeName: string, signal: AbortSignal): Promise<boolean> {
    for (const extender of this.#interested(pod, ({ binds }) => binds)) {
      const isBound = await this.#ignoring(extender, signal, async () => {
        await extender.bind(pod, nodeName, signal)
        return true
      })
      if (isBound) return true
    }
    return false
  }

  #interested(pod: Readonly<Pod>, can: (extender: Extender) => boolean): readonly Extender[] {
    return this.#all.filter((extender) => can(extender) && extender.isInterestedIn(pod))
  }

  /** Undefined when it failed and that does not count. */
  async #ignoring<T>(extender: Extender, signal: AbortSignal, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask()
    } catch (thrown) {
      if (signal.aborted || !extender.isIgnorable) throw thrown
      this.#log.warn("An extender failed, going on without it", { extender: extender.name, err: thrown })
      return undefined
    }
  }

  [Symbol.dispose](): void {
    for (const extender of this.#all) extender[Symbol.dispose]()
  }
}
