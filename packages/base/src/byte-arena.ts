/**
 * Small buffers cut from large ones. Buffers of a few kilobytes each come from the C heap, which is given back only from its
 * end: some that stay keep all that were between them. Large ones are given back one by one.
 */

/** Longer ones are buffers of their own. */
const largest = 32 * 1024
const mostChunk = 256 * 1024

export class ByteArena {
  readonly #firstChunk: number
  #chunk: Buffer | undefined
  #used = 0

  /**
   * `firstChunk`: bytes of the first chunk, from which they double up to 256 KiB, the default. A chunk lives as long as any
   * buffer that was cut from it, so those of one arena should have ends as near to one another as their beginnings.
   */
  constructor(firstChunk: number = mostChunk) {
    this.#firstChunk = firstChunk
  }

  /** An uninitialised buffer. */
  take(length: number): Buffer {
    if (length > largest) return Buffer.allocUnsafeSlow(length)
    if (!this.#chunk || this.#used + length > this.#chunk.length) {
      const wanted = this.#chunk ? 2 * this.#chunk.length : this.#firstChunk
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(Math.min(wanted, mostChunk), length))
      this.#used = 0
    }
    const taken = this.#chunk.subarray(this.#used, this.#used + length)
    this.#used += length
    return taken
  }

  copy(bytes: Uint8Array): Buffer {
    const taken = this.take(bytes.length)
    taken.set(bytes)
    return taken
  }

  /** Holds on to no chunk any more, and begins with a small one again. */
  clear(): void {
    this.#chunk = undefined
  }
}
