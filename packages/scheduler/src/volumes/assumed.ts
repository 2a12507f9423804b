/**
 * What the scheduler holds to be true of objects before their informer tells: what it is about to write, and what it
 * wrote. Mirrors: pkg/scheduler/util/assumecache
 */
import { refKey, refOf, type KubeObject } from "@knarr/apimachinery"
import type { Lister } from "@knarr/client"

type Key = { readonly namespace?: string; readonly name: string }

/** No more than pods that are reserved and not bound yet have volumes: whoever assumes also restores. */
export class Assumed<T extends KubeObject> {
  readonly #seen: Lister<T>
  readonly #assumed = new Map<string, Readonly<T>>()

  constructor(seen: Lister<T>) {
    this.#seen = seen
  }

  /** A changed copy of what `get` gave, or what the server answered to its write. */
  assume(obj: Readonly<T>): void {
    this.#assumed.set(refKey(refOf(obj)), obj)
  }

  /** Only what the informer has counts again. */
  restore(obj: Readonly<T>): void {
    this.#assumed.delete(refKey(refOf(obj)))
  }

  get(ref: Key): Readonly<T> | undefined {
    return this.#newest(this.#seen.get(ref))
  }

  byIndex(index: string, value: string): readonly Readonly<T>[] {
    const seen = this.#seen.byIndex(index, value)
    return this.#assumed.size === 0 ? seen : seen.map((obj) => this.#newest(obj)!)
  }

  #newest(seen: T | undefined): Readonly<T> | undefined {
    if (!seen || this.#assumed.size === 0) return seen
    const key = refKey(refOf(seen))
    const assumed = this.#assumed.get(key)
    if (!assumed) return seen
    if (assumed.metadata.uid === seen.metadata.uid && !isNewer(seen, assumed)) return assumed
    this.#assumed.delete(key)
    return seen
  }
}

/** Whether `a` was stored after `b`. */
export function isNewer(a: Readonly<KubeObject>, b: Readonly<KubeObject>): boolean {
  return BigInt(a.metadata.resourceVersion ?? "0") > BigInt(b.metadata.resourceVersion ?? "0")
}
