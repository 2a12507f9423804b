/** A binary heap from which any item can be taken out. Mirrors: pkg/scheduler/backend/heap */
export class Heap<T extends object> {
  readonly #items: T[] = []
  readonly #places = new Map<T, number>()
  readonly #less: (a: T, b: T) => boolean

  constructor(less: (a: T, b: T) => boolean) {
    this.#less = less
  }

  get size(): number {
    return this.#items.length
  }

  has(item: T): boolean {
    return this.#places.has(item)
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  /** Adds the item, or puts it where it belongs now. */
  push(item: T): void {
    const place = this.#places.get(item) ?? this.#items.length
    this.#put(item, place)
    this.#down(this.#up(place))
  }

  /** The first of all. */
  pop(): T | undefined {
    const first = this.#items[0]
    if (first) this.delete(first)
    return first
  }

  /** Whether it was there. */
  delete(item: T): boolean {
    const place = this.#places.get(item)
    if (place === undefined) return false
    this.#places.delete(item)
    const last = this.#items.pop()!
    if (last !== item) {
      this.#put(last, place)
      this.#down(this.#up(place))
    }
    return true
  }

  #put(item: T, place: number): void {
    this.#items[place] = item
    this.#places.set(item, place)
  }

  #swap(a: number, b: number): void {
    const item = this.#items[a]!
    this.#put(this.#items[b]!, a)
    this.#put(item, b)
  }

  #up(place: number): number {
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!this.#less(this.#items[place]!, this.#items[parent]!)) break
      this.#swap(place, parent)
      place = parent
    }
    return place
  }

  #down(place: number): void {
    for (;;) {
      let first = place
      for (const child of [2 * place + 1, 2 * place + 2]) {
        if (child < this.#items.length && this.#less(this.#items[child]!, this.#items[first]!)) first = child
      }
      if (first === place) return
      this.#swap(place, first)
      place = first
    }
  }
}
