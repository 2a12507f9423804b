/** What the objects of a resource share that keep their decoded values for a while. */
import type { Kind } from "@knarr/apimachinery"

/** What has a decoded value: an object of a watch cache. */
interface Holder {
  /** Lets go of the value unless it was used since it was last asked so; false: it was. */
  loosen(): boolean
}

/** Holds decoded values up to a bound, with a clock hand; shared by all caches of a registry. */
export class DecodedValues {
  readonly #slots: (Holder | undefined)[]
  #hand = 0

  constructor(capacity: number) {
    this.#slots = Array<Holder | undefined>(Math.max(1, capacity)).fill(undefined)
  }

  /** Keeps `object`'s value until its turn comes; returns its place, for {@link drop}. */
  hold(object: Holder): number {
    for (;;) {
      const held = this.#slots[this.#hand]
      if (!held || held.loosen()) break
      this.#hand = (this.#hand + 1) % this.#slots.length
    }
    const place = this.#hand
    this.#slots[place] = object
    this.#hand = (place + 1) % this.#slots.length
    return place
  }

  /** Forgets an object, if it still has that place. */
  drop(object: Holder, place: number): void {
    if (this.#slots[place] === object) this.#slots[place] = undefined
  }
}

/** What the cached objects of one resource have in common that are in one version, and in the present form or not. */
export interface ObjectShape {
  /** The version they are in: the stored one, or where conversion waits perhaps another one in which they were written. */
  readonly kind: Kind
  /** They are stored in another form than the present one, and will be written anew. */
  readonly stale: boolean
  /** Names of the fields whose values a cached object holds, beside metadata.name and metadata.namespace. */
  readonly fieldNames: readonly string[]
  readonly decoded: DecodedValues
}
