/** Addresses of an IPv4 range, handed out in a circle as host-local does: a freed one comes back last. */

export class IpRange {
  readonly cidr: string
  readonly #base: number
  readonly #size: number
  readonly #used = new Set<number>()
  #last = 1

  /** The first two addresses (network, gateway) and the last one (broadcast) are never given out. */
  constructor(cidr: string) {
    this.cidr = cidr
    const [address, bits] = cidr.split("/") as [string, string]
    this.#size = 2 ** (32 - Number(bits))
    const value = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0)
    this.#base = value - (value % this.#size)
  }

  /** A free address, or undefined when all are taken. */
  allocate(): string | undefined {
    const usable = this.#size - 3
    for (let step = 1; step <= usable; step++) {
      const offset = 2 + ((this.#last - 2 + step + usable) % usable)
      if (this.#used.has(offset)) continue
      this.#used.add(offset)
      this.#last = offset
      return text(this.#base + offset)
    }
    return undefined
  }

  /** Marks an address as given out, when it is of the range. */
  take(address: string): void {
    const offset = this.#offsetOf(address)
    if (offset > 0 && offset < this.#size) this.#used.add(offset)
  }

  release(address: string): void {
    if (address !== "") this.#used.delete(this.#offsetOf(address))
  }

  #offsetOf(address: string): number {
    return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0) - this.#base
  }
}

function text(value: number): string {
  return [value / 2 ** 24, value / 2 ** 16, value / 2 ** 8, value]
    .map((part) => Math.floor(part) % 256)
    .join(".")
}
