/** What a controller wrote itself and its informers may not have seen yet: the newer of both counts. */
import type { Kind, KubeObject, Ref } from "@knarr/apimachinery"
import { refKey, refOf } from "@knarr/apimachinery"
import type { Cache } from "@knarr/controller-kit"

/** As many as are on their way from the server: an entry goes when the informer has it, or something newer, or nothing. */
export class OwnWrites<T extends KubeObject> {
  readonly #kind: Kind<T>
  readonly #written = new Map<string, Readonly<T>>()

  constructor(kind: Kind<T>) {
    this.#kind = kind
  }

  /** Objects that were created are none of these: what no informer has counts as deleted. */
  add(obj: Readonly<T>): void {
    this.#written.set(refKey(refOf(obj)), obj)
  }

  get(cache: Cache, ref: Ref): Readonly<T> | undefined {
    return this.#newest(refKey(ref), cache.get(this.#kind, ref))
  }

  list(cache: Cache): readonly Readonly<T>[] {
    const seen = cache.list(this.#kind)
    if (this.#written.size === 0) return seen
    return seen.map((obj) => this.#newest(refKey(refOf(obj)), obj)!)
  }

  #newest(key: string, seen: T | undefined): Readonly<T> | undefined {
    const written = this.#written.get(key)
    if (!written) return seen
    const { uid, resourceVersion } = written.metadata
    if (seen?.metadata.uid === uid && BigInt(seen.metadata.resourceVersion!) < BigInt(resourceVersion!))
      return written
    this.#written.delete(key)
    return seen
  }
}
