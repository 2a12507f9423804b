/**
 * What a connection sends. Whatever is written in one turn of the loop goes to the socket in one piece: the answers to
 * all requests that were read together, and a hundred events of watches, cost one call of the kernel.
 */
import type { Duplex } from "node:stream"

type Done = (error?: Error | null) => void

/** The most that goes to the socket in one piece. */
const batchBytes = 128 * 1024

export class Output {
  readonly #socket: Duplex
  readonly #pump: (room: number) => void
  #pieces: Buffer[] = []
  #bytes = 0
  #done: Done[] = []
  #scheduled = false
  #blocked = false
  #onDrain: (() => void) | undefined

  /** `pump` adds what streams have to send, up to about so many octets, before each write. */
  constructor(socket: Duplex, pump: (room: number) => void) {
    this.#socket = socket
    this.#pump = pump
    socket.on("drain", () => {
      this.#blocked = false
      this.flush()
      if (!this.#blocked) this.#onDrain?.()
    })
  }

  /** Octets that wait for a socket that takes none. */
  get waitingBytes(): number {
    return this.#blocked ? this.#bytes : 0
  }

  /** Called when the socket takes more again. */
  set onDrain(callback: () => void) {
    this.#onDrain = callback
  }

  add(bytes: Buffer): void {
    this.#pieces.push(bytes)
    this.#bytes += bytes.length
    this.schedule()
  }

  /** Called when the octets added last may change. */
  whenCopied(done: Done): void {
    this.#done.push(done)
  }

  schedule(): void {
    if (this.#scheduled || this.#blocked) return
    this.#scheduled = true
    setImmediate(this.#tick)
  }

  /** Writes what has gathered. */
  flush(): void {
    while (!this.#blocked && !this.#socket.destroyed && this.#socket.writable) {
      this.#pump(batchBytes - this.#bytes)
      if (this.#bytes === 0) return
      // A copy, always: a small one is cheaper than two writes, and a large one is made by TLS otherwise.
      const batch = Buffer.concat(this.#pieces, this.#bytes)
      this.#pieces = []
      this.#bytes = 0
      this.#blocked = !this.#socket.write(batch)
      const done = this.#done
      if (done.length === 0) continue
      this.#done = []
      for (const callback of done) callback()
    }
  }

  /** The socket is gone: whoever waits for what was not written is told. */
  abandon(reason: Error): void {
    const done = this.#done
    this.#done = []
    this.#pieces = []
    this.#bytes = 0
    for (const callback of done) callback(reason)
  }

  readonly #tick = (): void => {
    this.#scheduled = false
    this.flush()
  }
}
