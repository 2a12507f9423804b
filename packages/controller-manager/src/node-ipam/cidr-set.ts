/** Equal parts of a network. Pure. Mirrors: pkg/controller/nodeipam/ipam/cidrset */
import { formatIP, networkContains, parseCIDR, type IPNetwork } from "@knarr/apimachinery"

export class CidrSet {
  readonly #network: IPNetwork
  readonly #partLength: number
  readonly #bits: number
  /** How many parts there are; at most 65,536. */
  readonly size: number

  /** Throws when `cidr` is not a network or has no parts of that length. */
  constructor(cidr: string, partLength: number) {
    const network = parseCIDR(cidr)
    if (!network) throw new Error(`Cannot read the network "${cidr}"`)
    this.#network = network
    this.#bits = network.address.bytes.length * 8
    this.#partLength = partLength
    const extra = partLength - network.prefixLength
    if (extra < 0 || partLength > this.#bits)
      throw new Error(`Cannot divide "${cidr}" into networks of length ${partLength}`)
    if (extra > 16) throw new Error(`Cannot divide "${cidr}" into more than 65536 networks`)
    this.size = 2 ** extra
  }

  get isIPv6(): boolean {
    return this.#bits === 128
  }

  /** The part at an index, as text. */
  part(index: number): string {
    let value = 0n
    for (const byte of this.#network.address.bytes) value = (value << 8n) | BigInt(byte)
    const hostBits = BigInt(this.#bits - this.#network.prefixLength)
    value = (value >> hostBits) << hostBits
    value += BigInt(index) << BigInt(this.#bits - this.#partLength)
    const bytes = new Uint8Array(this.#bits / 8)
    for (let i = bytes.length - 1; i >= 0; i--) {
      bytes[i] = Number(value & 255n)
      value >>= 8n
    }
    return `${formatIP({ bytes, leadingZeros: false })}/${this.#partLength}`
  }

  /** The first free part at or after `from`, going round; undefined when all are used. */
  next(from: number, used: (cidr: string) => boolean): { cidr: string; index: number } | undefined {
    for (let i = 0; i < this.size; i++) {
      const index = (from + i) % this.size
      const cidr = this.part(index)
      if (!used(cidr)) return { cidr, index }
    }
    return undefined
  }
}

/** Whether two networks have an address in common. */
export function overlap(a: string, b: string): boolean {
  const x = parseCIDR(a)
  const y = parseCIDR(b)
  return (
    x !== undefined && y !== undefined && (networkContains(x, y.address) || networkContains(y, x.address))
  )
}
