/**
 * Octets that come in pieces of any size and are taken together. Small pieces share buffers: a sender that cuts what it
 * sends into single octets makes nobody keep a buffer for each.
 */

/** Smaller pieces are copied. */
const smallBytes = 4096
const sharedBytes = 16 * 1024

export class ByteQueue {
  #buffers: Buffer[] = []
  /** The last buffer, if small pieces still fit into it, and how much of it is used. */
  #shared: Buffer | undefined
  #used = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The piece is the queue's own from now on. */
  add(piece: Buffer): void {
    this.#length += piece.length
    if (piece.length >= smallBytes) {
      this.#seal()
      this.#buffers.push(piece)
      return
    }
    if (this.#shared && this.#used + piece.length > this.#shared.length) this.#seal()
    // What comes alone stays as it is.
    if (this.#buffers.length === 0 && !this.#shared) {
      this.#shared = piece
      this.#used = piece.length
      return
    }
    if (!this.#shared) {
      this.#shared = Buffer.allocUnsafeSlow(sharedBytes)
      this.#used = 0
    }
    this.#used += piece.copy(this.#shared, this.#used)
  }

  /** All octets, in one buffer; the queue is empty afterwards. */
  take(): Buffer {
    this.#seal()
    const all = this.#buffers.length === 1 ? this.#buffers[0]! : Buffer.concat(this.#buffers, this.#length)
    this.#buffers = []
    this.#length = 0
    return all
  }

  #seal(): void {
    if (this.#shared) this.#buffers.push(this.#shared.subarray(0, this.#used))
    this.#shared = undefined
  }
}
