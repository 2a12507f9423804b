/** Chooses addresses of one network; who has which is told by others. Mirrors: pkg/registry/core/service/ipallocator */
import {
  formatIP,
  type IPNetwork,
  networkAddress,
  networkContains,
  parseCIDR,
  parseIP,
} from "@knarr/apimachinery"
import { randomInt, type Random } from "@knarr/base"

/** The most addresses that are handed out of one network; a larger IPv6 range is cut off there. */
const maxAddresses = 2 ** 20

export class IpAllocator {
  readonly family: "IPv4" | "IPv6"
  readonly #cidr: string
  readonly #network: IPNetwork
  readonly #base: bigint
  /** How many addresses may be given, without the network's own and, for IPv4, the broadcast address. */
  readonly #size: number
  /** Addresses below this offset are kept for requests by address, as long as there are others. */
  readonly #dynamicFrom: number

  /** Throws when `cidr` is not a network. */
  constructor(cidr: string) {
    const network = parseCIDR(cidr)
    if (!network) throw new Error(`Cannot read the service network "${cidr}"`)
    this.#cidr = cidr
    this.#network = network
    const { bytes } = networkAddress(network)
    this.family = bytes.length === 4 ? "IPv4" : "IPv6"
    this.#base = toNumber(bytes)
    const bits = bytes.length * 8 - network.prefixLength
    const all = bits >= 20 ? maxAddresses : 2 ** bits
    this.#size = Math.max(0, all - (this.family === "IPv4" && bits < 20 ? 2 : 1))
    this.#dynamicFrom = this.#size < 16 ? 0 : Math.min(256, Math.max(16, Math.floor(this.#size / 16)))
  }

  get cidr(): string {
    return this.#cidr
  }

  /** The first address: the `kubernetes` service's. */
  get first(): string {
    return this.#at(0)
  }

  contains(ip: string): boolean {
    return this.#offset(ip) !== undefined
  }

  /** Any address that is not `taken`; undefined when there is none. */
  choose(random: Random, taken: (ip: string) => boolean): string | undefined {
    return (
      this.#free(random, this.#dynamicFrom, this.#size, taken) ??
      this.#free(random, 0, this.#dynamicFrom, taken)
    )
  }

  /** A free address at an offset in [from, to), looked for from a random place on. */
  #free(random: Random, from: number, to: number, taken: (ip: string) => boolean): string | undefined {
    const count = to - from
    if (count <= 0) return undefined
    const start = randomInt(random, count)
    for (let i = 0; i < count; i++) {
      const ip = this.#at(from + ((start + i) % count))
      if (!taken(ip)) return ip
    }
    return undefined
  }

  #offset(text: string): number | undefined {
    const ip = parseIP(text)
    if (!ip || !networkContains(this.#network, ip)) return undefined
    const offset =
      toNumber(ip.bytes.length > 4 && this.family === "IPv4" ? ip.bytes.subarray(12) : ip.bytes) -
      this.#base -
      1n
    return offset >= 0n && offset < BigInt(this.#size) ? Number(offset) : undefined
  }

  #at(offset: number): string {
    let value = this.#base + 1n + BigInt(offset)
    const bytes = new Uint8Array(this.family === "IPv4" ? 4 : 16)
    for (let i = bytes.length - 1; i >= 0; i--) {
      bytes[i] = Number(value & 255n)
      value >>= 8n
    }
    return formatIP({ bytes, leadingZeros: false })
  }
}

function toNumber(bytes: Uint8Array): bigint {
  let out = 0n
  for (const byte of bytes) out = out * 256n + BigInt(byte)
  return out
}
