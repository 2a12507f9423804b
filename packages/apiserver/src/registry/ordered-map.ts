/**
 * A map whose keys are kept in order: lookups cost what a Map costs, insertion and removal a short move
 * within a chunk, and a walk can begin at any key. Made for resources of some 100,000 objects.
 */

const chunkLimit = 512

export class OrderedMap<V> {
  readonly #values = new Map<string, V>()
  /** Sorted chunks of sorted keys; never an empty chunk. */
  readonly #chunks: string[][] = []

  get size(): number {
    return this.#values.size
  }

  get(key: string): V | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: V): void {
    const isNew = !this.#values.has(key)
    this.#values.set(key, value)
    if (!isNew) return
    if (this.#chunks.length === 0) {
      this.#chunks.push([key])
      return
    }
    const c = this.#chunkOf(key)
    const chunk = this.#chunks[c]!
    const last = chunk.length - 1
    if (key > chunk[last]!) chunk.push(key)
    else chunk.splice(lowerBound(chunk, key), 0, key)
    if (chunk.length > chunkLimit) {
      // Keys that arrive in order fill their chunks; others split in the middle.
      const at = chunk[chunk.length - 1] === key ? chunkLimit : chunk.length >> 1
      this.#chunks.splice(c + 1, 0, chunk.splice(at))
    }
  }

  delete(key: string): boolean {
    if (!this.#values.delete(key)) return false
    const c = this.#chunkOf(key)
    const chunk = this.#chunks[c]!
    chunk.splice(lowerBound(chunk, key), 1)
    if (chunk.length === 0) this.#chunks.splice(c, 1)
    return true
  }

  /** The values whose keys begin with `prefix` and are at or after `from`, in order, as they are now. */
  collect(prefix: string, from: string = prefix): V[] {
    const out: V[] = []
    const start = from > prefix ? from : prefix
    for (let c = this.#chunkOf(start); c < this.#chunks.length; c++) {
      const chunk = this.#chunks[c]!
      for (let i = out.length === 0 ? lowerBound(chunk, start) : 0; i < chunk.length; i++) {
        const key = chunk[i]!
        if (prefix !== "" && !key.startsWith(prefix)) return out
        out.push(this.#values.get(key)!)
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
      if (this.#chunks[middle]![0]! <= key) low = middle
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
