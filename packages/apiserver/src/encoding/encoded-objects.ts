/** Objects that were encoded in another form than the watch cache has, kept for whoever asks next. */
import { ByteArena } from "@knarr/base"
import type { CachedObject } from "../registry/cached-object.ts"
import { Generations } from "./generations.ts"

export class EncodedObjects {
  readonly #kept: Generations<Buffer>
  #arena = new ByteArena()

  /** `limitBytes`: what is held at most, but for one object. */
  constructor(limitBytes: number) {
    this.#kept = new Generations(limitBytes)
  }

  /** The bytes of `object` in the form that `key` names; `make` encodes it, in memory of its own or for a moment. */
  get(object: CachedObject, key: string, make: () => Buffer): Buffer {
    const young = this.#kept.young(key, object)
    if (young) return young
    const bytes = this.#kept.old(key, object) ?? make()
    if (this.#kept.grow(bytes.length)) this.#arena = new ByteArena()
    const copy = this.#arena.copy(bytes)
    this.#kept.keep(key, object, copy)
    return copy
  }
}
