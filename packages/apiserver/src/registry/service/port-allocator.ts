/** Hands out node ports. A number may serve TCP, UDP and SCTP of one service. Mirrors: pkg/registry/core/service/portallocator */
import { randomInt, type Random } from "@knarr/base"

export class PortAllocator {
  readonly first: number
  readonly last: number
  readonly #used = new Set<number>()

  /** Both ends are included. */
  constructor(first: number, last: number) {
    this.first = first
    this.last = last
  }

  /** Takes one port. Returns why it cannot be had, "" on success. */
  take(port: number): string {
    if (port < this.first || port > this.last) {
      return `provided port is not in the valid range. The range of valid ports is ${this.first}-${this.last}`
    }
    if (this.#used.has(port)) return "provided port is already allocated"
    this.#used.add(port)
    return ""
  }

  /** Takes any free port; undefined when there is none. */
  takeNext(random: Random): number | undefined {
    const count = this.last - this.first + 1
    // The lower part is kept for requests by number, as long as there are others.
    const low = count < 16 ? 0 : Math.min(128, Math.max(16, Math.floor(count / 32)))
    const port =
      this.#free(random, this.first + low, this.last) ?? this.#free(random, this.first, this.first + low - 1)
    if (port !== undefined) this.#used.add(port)
    return port
  }

  release(port: number): void {
    this.#used.delete(port)
  }

  #free(random: Random, from: number, to: number): number | undefined {
    const count = to - from + 1
    if (count <= 0) return undefined
    const start = randomInt(random, count)
    for (let i = 0; i < count; i++) {
      const port = from + ((start + i) % count)
      if (!this.#used.has(port)) return port
    }
    return undefined
  }
}
