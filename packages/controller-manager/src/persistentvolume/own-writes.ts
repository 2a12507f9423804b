/** What a controller wrote itself and its informers may not have seen yet: the newer of both counts. */
import type { Kind, KubeObject, Ref } from "@knarr/apimachinery"
import { objectKey, refKey } from "@knarr/apimachinery"
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
    this.#written.set(objectKey(obj), obj)
  }

  get(cache: Cache, ref: Ref): Readonly<T> | undefined {
    return this.#newest(refKey(ref), cache.get(this.#kind, ref))
  }

  /** The objects as they are now; `seen`: as the informer has them. */
  newest(seen: readonly Readonly<T>[]): readonly Readonly<T>[] {
    if (this.#written.size === 0) return seen
    return seen.map((obj) => {
      const key = objectKey(obj)
      return this.#written.has(key) ? this.#newest(key, obj)! : obj
    })
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
