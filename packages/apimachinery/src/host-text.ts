/**
 * Text for programs and files that act for the whole machine (`ip`, `nft`, `iptables`, CNI configuration, hosts
 * files), made of checked words alone: what an API object says of itself is parsed first, or is no word. The types
 * are the guard: `line` takes no plain string, and the programs' runners take nothing but lines.
 */
import { formatIP, ipFamily, networkAddress, parseCIDR, parseIP } from "./ip.ts"
import { isDNS1123Subdomain } from "./names.ts"

declare const checked: unique symbol
type Checked<Base, What extends string> = Base & { readonly [checked]: What }

/** Dotted, without leading zeros. */
export type IPv4Address = Checked<string, "IPv4 address">
/** `10.0.0.0/8`, without bits beyond the prefix. */
export type IPv4Network = Checked<string, "IPv4 network">
/** As RFC 5952 has it, without a zone. */
export type IPv6Address = Checked<string, "IPv6 address">
/** `fd00::/8`, without bits beyond the prefix. */
export type IPv6Network = Checked<string, "IPv6 network">
/** Of either family, in canonical form. */
export type AddressText = IPv4Address | IPv6Address
export type NetworkText = IPv4Network | IPv6Network
/** 1 to 65535. */
export type PortNumber = Checked<number, "port">
export type TransportProtocol = "tcp" | "udp" | "sctp"
/** The name of a network interface. */
export type LinkName = Checked<string, "link">
/** The name of a table, chain, set or map of nftables, or of a network namespace. */
export type NameText = Checked<string, "name">
/** A DNS name. */
export type HostNameText = Checked<string, "host name">
/** Lines (or parts of one) that `line` and `joined` made. */
export type HostText = Checked<string, "text">

export type HostWord =
  | AddressText
  | NetworkText
  | PortNumber
  | TransportProtocol
  | LinkName
  | NameText
  | HostNameText
  | HostText
  | number

const canonicalIPv4 = /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/

/** Undefined for what is no IPv4 address. Leading zeros and `::ffff:1.2.3.4` are taken, as Go's sloppy parser does. */
export function readIPv4(text: string): IPv4Address | undefined {
  if (canonicalIPv4.test(text)) return text as IPv4Address
  const ip = text.length <= 64 ? parseIP(text) : undefined
  return ip && ipFamily(ip) === 4 ? (formatIP(ip) as IPv4Address) : undefined
}

/** As {@link readIPv4}, of both families. */
export function readAddress(text: string): AddressText | undefined {
  if (canonicalIPv4.test(text)) return text as IPv4Address
  const ip = text.length <= 64 ? parseIP(text) : undefined
  return ip && (formatIP(ip) as AddressText)
}

/** Undefined for what is no IPv4 network. Bits beyond the prefix are cleared. */
export function readIPv4Network(text: string): IPv4Network | undefined {
  const network = text.length <= 64 ? parseCIDR(text.trim()) : undefined
  if (!network || network.address.bytes.length !== 4) return undefined
  return `${formatIP(networkAddress(network))}/${network.prefixLength}` as IPv4Network
}

export function readPort(value: number | undefined): PortNumber | undefined {
  return Number.isInteger(value) && value! >= 1 && value! <= 65_535 ? (value as PortNumber) : undefined
}

/** Protocols as the API writes them; undefined is TCP. */
export function readProtocol(text: string | undefined): TransportProtocol | undefined {
  const lower = (text ?? "TCP").toLowerCase()
  return lower === "tcp" || lower === "udp" || lower === "sctp" ? lower : undefined
}

export function readHostName(text: string): HostNameText | undefined {
  return isDNS1123Subdomain(text).length === 0 ? (text as HostNameText) : undefined
}

/** Throws for what is no IPv4 address. For addresses that our own settings name. */
export function ipv4Address(text: string): IPv4Address {
  return must(readIPv4(text), text, "an IPv4 address")
}

/** Throws for what is no IPv4 network. */
export function ipv4Network(text: string): IPv4Network {
  return must(readIPv4Network(text), text, "an IPv4 network")
}

/** Throws for what the kernel takes for no interface's name: at most 15 bytes. */
export function linkName(text: string): LinkName {
  return must(/^[A-Za-z0-9][\w.-]{0,14}$/.test(text) ? (text as LinkName) : undefined, text, "a link's name")
}

/** Throws for what nftables takes for no name. */
export function nameText(text: string): NameText {
  return must(/^[A-Za-z][\w.-]{0,127}$/.test(text) ? (text as NameText) : undefined, text, "a name")
}

function must<T>(value: T | undefined, text: string, what: string): T {
  if (value === undefined) throw new RangeError(`Cannot use ${JSON.stringify(text)} as ${what}`)
  return value
}

/** Text of checked words: `` line`route delete ${network} via ${address}` ``. Numbers are whole and not negative. */
export function line(parts: TemplateStringsArray, ...words: readonly HostWord[]): HostText {
  let out = parts[0]!
  for (const [i, word] of words.entries()) {
    if (typeof word === "number" && !(Number.isSafeInteger(word) && word >= 0))
      throw new RangeError(`Cannot write the number ${word}: it is not whole`)
    out += word + parts[i + 1]!
  }
  return out as HostText
}

export function joined(words: readonly HostWord[], separator: ", " | "\n" | "\t" | " . "): HostText {
  return words.join(separator) as HostText
}

/** For logs and events: quoted, and short whatever it is. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
}

/** The address as a number. */
export function numberOf(address: IPv4Address): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0)
}

/** The address `offset` places after the network's first. Throws when it is outside. */
export function addressIn(network: IPv4Network, offset: number): IPv4Address {
  const { first, size } = spanOf(network)
  if (!(offset >= 0 && offset < size)) throw new RangeError(`Cannot give address ${offset} of ${network}`)
  const value = first + offset
  return [value / 2 ** 24, value / 2 ** 16, value / 2 ** 8, value]
    .map((part) => Math.floor(part) % 256)
    .join(".") as IPv4Address
}

/** A network's first address as a number, how many it has, and the length of its prefix. */
export function spanOf(network: IPv4Network): { first: number; size: number; prefixLength: number } {
  const [base, bits] = network.split("/") as [IPv4Address, string]
  return { first: numberOf(base), size: 2 ** (32 - Number(bits)), prefixLength: Number(bits) }
}

/** Whether all of `inner` is in `network`; false of two families. */
export function holds(network: NetworkText, inner: NetworkText | AddressText): boolean {
  if (!isIPv4Text(network) || !isIPv4Text(inner)) return holdsBytes(network, inner)
  const outside = spanOf(network)
  const inside = spanOf(inner.includes("/") ? (inner as IPv4Network) : (`${inner}/32` as IPv4Network))
  return inside.first >= outside.first && inside.first + inside.size <= outside.first + outside.size
}

function isIPv4Text(text: NetworkText | AddressText): text is IPv4Network | IPv4Address {
  return !text.includes(":")
}

function holdsBytes(network: string, inner: string): boolean {
  const outside = parseCIDR(network)!
  const inside = parseCIDR(inner.includes("/") ? inner : `${inner}/${inner.includes(":") ? 128 : 32}`)!
  const { prefixLength } = outside
  if (outside.address.bytes.length !== inside.address.bytes.length || inside.prefixLength < prefixLength)
    return false
  const start = networkAddress({ ...inside, prefixLength })
  return outside.address.bytes.every((byte, i) => byte === start.bytes[i])
}

/** Whether the two have an address in common. */
export function overlap(a: NetworkText, b: NetworkText): boolean {
  return holds(a, b) || holds(b, a)
}
