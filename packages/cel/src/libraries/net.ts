/**
 * IP addresses and networks.
 * Mirrors: apiserver pkg/cel/library/ip.go, cidr.go, pkg/cel/ip.go, cidr.go
 */
import { formatIP, goQuote } from "@knarr/apimachinery"
import { opaqueOf, type CelType } from "../check/types.ts"
import type { Implementation } from "../run/functions.ts"
import { CelError, ObjectValue, maybeNoSuchOverload, noSuchOverload, type Value } from "../run/values.ts"
import { AddressProblem, parseAddress, parsePrefix, type Address } from "./ip-parse.ts"

export const ipType: CelType = opaqueOf("net.IP")
export const cidrType: CelType = opaqueOf("net.CIDR")

const text = (bytes: readonly number[]): string =>
  formatIP({ bytes: Uint8Array.from(bytes), leadingZeros: false })
const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])
const mapped = (bytes: readonly number[]): boolean =>
  bytes.length === 16 &&
  bytes.slice(0, 10).every((byte) => byte === 0) &&
  bytes[10] === 255 &&
  bytes[11] === 255

class IP extends ObjectValue {
  readonly type = ipType
  readonly bytes: readonly number[]
  override readonly size: number
  constructor(bytes: readonly number[]) {
    super()
    this.bytes = bytes
    this.size = bytes.length
  }
  equalTo(other: Value): Value {
    return other instanceof IP ? same(this.bytes, other.bytes) : maybeNoSuchOverload(other)
  }
  override toString(): string {
    return text(this.bytes)
  }
}

class CIDR extends ObjectValue {
  readonly type = cidrType
  readonly bytes: readonly number[]
  readonly bits: number
  override readonly size: number
  constructor(bytes: readonly number[], bits: number) {
    super()
    this.bytes = bytes
    this.bits = bits
    this.size = Math.ceil(bits / 8)
  }
  equalTo(other: Value): Value {
    return other instanceof CIDR
      ? this.bits === other.bits && same(this.bytes, other.bytes)
      : maybeNoSuchOverload(other)
  }
  override toString(): string {
    return `${text(this.bytes)}/${this.bits}`
  }
  /** Whether the first `bits` of the address are this one's. */
  covers(bytes: readonly number[], bits = this.bits): boolean {
    return bytes.length === this.bytes.length && same(masked(bytes, bits), masked(this.bytes, bits))
  }
}

function masked(bytes: readonly number[], bits: number): number[] {
  return bytes.map((byte, i) => byte & (0xff << Math.max(0, Math.min(8, 8 - (bits - i * 8)))) & 0xff)
}

function parsed(value: Value): IP | CelError {
  const raw = value as string
  let address: Address
  try {
    address = parseAddress(raw)
  } catch (error) {
    if (!(error instanceof AddressProblem)) throw error
    return new CelError(
      `IP Address ${goQuote(raw)} parse error during conversion from string: ${error.message}`,
    )
  }
  if (address.zone !== "") return new CelError(`IP address ${goQuote(raw)} with zone value is not allowed`)
  if (mapped(address.bytes)) return new CelError(`IPv4-mapped IPv6 address ${goQuote(raw)} is not allowed`)
  return new IP(address.bytes)
}

function parsedNetwork(value: Value): CIDR | CelError {
  const raw = value as string
  const prefix = "network address parse error during conversion from string: "
  try {
    const { address, bits } = parsePrefix(raw)
    if (mapped(address.bytes))
      return new CelError(`${prefix}IPv4-mapped IPv6 address ${goQuote(raw)} is not allowed`)
    return new CIDR(address.bytes, bits)
  } catch (error) {
    if (!(error instanceof AddressProblem)) throw error
    return new CelError(`${prefix}${prefix}${error.message}`)
  }
}

/** A question about an address, by its family. */
const onIP =
  (four: (bytes: readonly number[]) => Value, six: (bytes: readonly number[]) => Value): Implementation =>
  (ip) =>
    !(ip instanceof IP) ? maybeNoSuchOverload(ip!) : ip.bytes.length === 4 ? four(ip.bytes) : six(ip.bytes)

const zero = (bytes: readonly number[]): boolean => bytes.every((byte) => byte === 0)
const isLoopback = (bytes: readonly number[]): boolean =>
  bytes.length === 4 ? bytes[0] === 127 : zero(bytes.slice(0, 15)) && bytes[15] === 1
const isLinkLocal = (bytes: readonly number[]): boolean =>
  bytes.length === 4 ? bytes[0] === 169 && bytes[1] === 254 : bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80
const isMulticast = (bytes: readonly number[]): boolean =>
  bytes.length === 4 ? (bytes[0]! & 0xf0) === 0xe0 : bytes[0] === 0xff
const isGlobal = (bytes: readonly number[]): boolean =>
  !(bytes.length === 4 && bytes.every((byte) => byte === 255)) &&
  !zero(bytes) &&
  !isLoopback(bytes) &&
  !isMulticast(bytes) &&
  !isLinkLocal(bytes)

const containsIP = (network: Value, ip: Value): Value => {
  if (!(network instanceof CIDR)) return maybeNoSuchOverload(ip)
  return ip instanceof IP ? network.covers(ip.bytes) : noSuchOverload
}

const containsCIDR = (network: Value, inner: Value): Value => {
  if (!(network instanceof CIDR)) return maybeNoSuchOverload(network)
  return inner instanceof CIDR
    ? network.bits <= inner.bits && network.covers(inner.bytes)
    : maybeNoSuchOverload(inner)
}

const onNetwork =
  (run: (network: CIDR) => Value): Implementation =>
  (network) =>
    network instanceof CIDR ? run(network) : maybeNoSuchOverload(network!)

/** By overload. */
export const netOverloads: readonly (readonly [string, Implementation])[] = [
  ["string_to_ip", (value) => parsed(value!)],
  ["is_ip", (value) => !(parsed(value!) instanceof CelError)],
  [
    "ip_is_canonical",
    (value) => {
      const ip = parsed(value!)
      return ip instanceof CelError ? ip : ip.toString() === value
    },
  ],
  [
    "ip_family",
    onIP(
      () => 4,
      () => 6,
    ),
  ],
  ["ip_is_unspecified", onIP(zero, zero)],
  ["ip_is_loopback", onIP(isLoopback, isLoopback)],
  [
    "ip_is_link_local_multicast",
    onIP(
      ([a, b, c]) => a === 224 && b === 0 && c === 0,
      ([a, b]) => a === 0xff && (b! & 0x0f) === 2,
    ),
  ],
  ["ip_is_link_local_unicast", onIP(isLinkLocal, isLinkLocal)],
  ["ip_is_global_unicast", onIP(isGlobal, isGlobal)],
  ["string_to_cidr", (value) => parsedNetwork(value!)],
  ["is_cidr", (value) => !(parsedNetwork(value!) instanceof CelError)],
  ["cidr_contains_ip_string", (network, ip) => containsIP(network!, parsed(ip!))],
  ["cidr_contains_ip_ip", (network, ip) => containsIP(network!, ip!)],
  ["cidr_contains_cidr_string", (network, inner) => containsCIDR(network!, parsedNetwork(inner!))],
  ["cidr_contains_cidr", (network, inner) => containsCIDR(network!, inner!)],
  ["cidr_ip", onNetwork((network) => new IP(network.bytes))],
  ["cidr_prefix_length", onNetwork((network) => network.bits)],
  ["cidr_masked", onNetwork((network) => new CIDR(masked(network.bytes, network.bits), network.bits))],
]
