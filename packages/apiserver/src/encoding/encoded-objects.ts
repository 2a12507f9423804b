/**
 * Objects that were encoded in another form than the watch cache has, kept for whoever asks next. A state of an object is
 * kept as long as it lives and was asked for not too long ago: what is kept is in two generations, and when the younger one
 * is full it takes the place of the older one, which is forgotten.
 */
import { ByteArena } from "@knarr/base"
import type { CachedObject } from "../registry/cached-object.ts"

type Generation = Map<string, WeakMap<CachedObject, Buffer>>

export class EncodedObjects {
  readonly #limit: number
  #young: Generation = new Map()
  #old: Generation = new Map()
  #arena = new ByteArena()
  #bytes = 0

  /** `limitBytes`: what both generations together hold at most, but for one object. */
  constructor(limitBytes: number) {
    this.#limit = limitBytes / 2
  }

  /** The bytes of `object` in the form that `key` names; `make` encodes it, in memory of its own or for a moment. */
  get(object: CachedObject, key: string, make: () => Buffer): Buffer {
    const young = this.#young.get(key)?.get(object)
    if (young) return young
    const bytes = this.#old.get(key)?.get(object) ?? make()
    if (this.#bytes + bytes.length > this.#limit) {
      this.#old = this.#young
      this.#young = new Map()
      this.#arena = new ByteArena()
      this.#bytes = 0
    }
    const kept = this.#arena.copy(bytes)
    this.#bytes += kept.length
    let form = this.#young.get(key)
    if (!form) this.#young.set(key, (form = new WeakMap()))
    form.set(object, kept)
    return kept
  }
}
