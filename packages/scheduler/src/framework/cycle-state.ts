/**
 * What plugins keep between the extension points of one pod's attempt. Keys are typed, and may be shared
 * between plugins; a clone is what a what-if works on. Mirrors: pkg/scheduler/framework/cycle_state.go
 */
import type { Snapshot } from "../cache/snapshot.ts"

/** Names a value; two keys are never the same value. */
export interface StateKey<T> {
  readonly name: string
  /** How a value that `addPod` and `removePod` change is copied. Default: it is shared. */
  readonly clone?: ((value: T) => T) | undefined
}

export function stateKey<T>(name: string, clone?: (value: T) => T): StateKey<T> {
  return Object.freeze({ name, clone })
}

export class CycleState {
  /**
   * The cluster as this attempt sees it. Only up to `permit`: what runs later reads informers, for by then it is
   * another pod's.
   */
  readonly snapshot: Snapshot
  readonly #values = new Map<StateKey<any>, unknown>()

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot
  }

  /** Throws when nothing was written: the plugin's earlier extension point did not run. */
  read<T>(key: StateKey<T>): T {
    if (!this.#values.has(key)) throw new Error(`reading "${key.name}" from cycleState: not found`)
    return this.#values.get(key) as T
  }

  find<T>(key: StateKey<T>): T | undefined {
    return this.#values.get(key) as T | undefined
  }

  write<T>(key: StateKey<T>, value: T): void {
    this.#values.set(key, value)
  }

  delete(key: StateKey<any>): void {
    this.#values.delete(key)
  }

  /** Independent of this one as far as its keys say. */
  clone(): CycleState {
    const copy = new CycleState(this.snapshot)
    for (const [key, value] of this.#values)
      copy.#values.set(key, key.clone && value !== undefined ? key.clone(value) : value)
    return copy
  }
}
