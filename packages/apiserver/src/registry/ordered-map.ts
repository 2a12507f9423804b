/**
 * A map whose keys are kept in order: lookups cost what a Map costs, insertion and removal a short move
 * within a chunk, and a walk can begin at any key. Made for resources of some 100,000 objects.
 */

const chunkLimit = 512

/** Keys in order and, at the same places, their values: a walk needs no lookups. */
interface Chunk<V> {
  keys: string[]
  values: V[]
}

export class OrderedMap<V> {
  readonly #values = new Map<string, V>()
  /** In order; never an empty chunk. */
  readonly #chunks: Chunk<V>[] = []

  get size(): number {
    return this.#values.size
  }

  get(key: string): V | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: V): void {
    const isNew = !this.#values.has(key)
    this.#values.set(key, value)
    if (this.#chunks.length === 0) {
      this.#chunks.push({ keys: [key], values: [value] })
      return
    }
    const c = this.#chunkOf(key)
    const { keys, values } = this.#chunks[c]!
    const at = key > keys[keys.length - 1]! ? keys.length : lowerBound(keys, key)
    if (!isNew) {
      values[at] = value
      return
    }
    keys.splice(at, 0, key)
    values.splice(at, 0, value)
    if (keys.length > chunkLimit) {
      // Keys that arrive in order fill their chunks; others split in the middle.
      const half = at === keys.length - 1 ? chunkLimit : keys.length >> 1
      this.#chunks.splice(c + 1, 0, { keys: keys.splice(half), values: values.splice(half) })
    }
  }

  delete(key: string): boolean {
    if (!this.#values.delete(key)) return false
    const c = this.#chunkOf(key)
    const { keys, values } = this.#chunks[c]!
    const at = lowerBound(keys, key)
    keys.splice(at, 1)
    values.splice(at, 1)
    if (keys.length === 0) this.#chunks.splice(c, 1)
    return true
  }

  /** The values whose keys begin with `prefix` and are at or after `from`, in order, as they are now. */
  collect(prefix: string, from: string = prefix): V[] {
    const out: V[] = []
    const start = from > prefix ? from : prefix
    for (let c = this.#chunkOf(start); c < this.#chunks.length; c++) {
      const { keys, values } = this.#chunks[c]!
      const first = keys[0]! < start ? lowerBound(keys, start) : 0
      if (keys[keys.length - 1]!.startsWith(prefix)) {
        for (let i = first; i < values.length; i++) out.push(values[i]!)
        continue
      }
      for (let i = first; i < keys.length; i++) {
        if (!keys[i]!.startsWith(prefix)) return out
        out.push(values[i]!)
      }
    }
    return out
  }

  /** All values, in no particular order. */
  values(): IterableIterator<V> {
    return this.#values.values()
  }

  /** The last chunk that begins at or before `key` (the first one when none does). */
  #chunkOf(key: string): number {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#chunks[middle]!.keys[0]! <= key) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** The first index whose key is not before `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
