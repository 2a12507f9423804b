/**
 * What was made of objects, kept by form as long as the objects live and it was asked for not too long ago: it is in two
 * generations, and when the younger one is full it takes the place of the older one, which is forgotten.
 */
type Generation<T> = Map<string, WeakMap<object, T>>

export class Generations<T> {
  readonly #limit: number
  #young: Generation<T> = new Map()
  #old: Generation<T> = new Map()
  #bytes = 0

  /** `limitBytes`: what both generations together hold at most, but for one entry. */
  constructor(limitBytes: number) {
    this.#limit = limitBytes / 2
  }

  young(form: string, of: object): T | undefined {
    return this.#young.get(form)?.get(of)
  }

  old(form: string, of: object): T | undefined {
    return this.#old.get(form)?.get(of)
  }

  /** In the young generation. */
  keep(form: string, of: object, made: T): void {
    let kept = this.#young.get(form)
    if (!kept) this.#young.set(form, (kept = new WeakMap()))
    kept.set(of, made)
  }

  forget(form: string, of: object): void {
    this.#young.get(form)?.delete(of)
  }

  /** Counts so many bytes; true when that began a new generation. */
  grow(bytes: number): boolean {
    const isFull = this.#bytes + bytes > this.#limit
    if (isFull) {
      this.#old = this.#young
      this.#young = new Map()
      this.#bytes = 0
    }
    this.#bytes += bytes
    return isFull
  }
}
