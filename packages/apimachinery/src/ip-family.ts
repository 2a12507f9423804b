/**
 * The two families of addresses, for what is written once and made for each: rules, routes, configuration. Whatever is of the
 * other family is nobody's fault; it is somebody else's.
 */
import { formatIP, networkAddress, parseCIDR } from "./ip.ts"
import {
  line,
  readAddress,
  readIPv4,
  readIPv4Network,
  type AddressText,
  type HostText,
  type IPv6Address,
  type IPv6Network,
  type NetworkText,
  type PortNumber,
} from "./host-text.ts"

export interface IPFamily {
  /** As the API writes it, in `ipFamilies` and `addressType`. */
  readonly name: "IPv4" | "IPv6"
  /** What nftables calls its tables and its header. */
  readonly word: HostText
  /** The type of its addresses in nftables' sets and maps. */
  readonly addressType: HostText
  /** This host's own addresses. */
  readonly loopback: NetworkText
  readonly multicast: NetworkText
  /** Where nobody's peer is: this host, loopback, link-local. */
  readonly special: readonly NetworkText[]
  /** Whether the text is meant as one of this family, be it an address or not. */
  owns(text: string): boolean
  /** Undefined for what is no address of this family. */
  readAddress(text: string): AddressText | undefined
  /** Undefined for what is no network of this family. Bits beyond the prefix are cleared. */
  readNetwork(text: string): NetworkText | undefined
}

const networks4 = (...texts: readonly string[]): NetworkText[] => texts.map((text) => readIPv4Network(text)!)
const networks6 = (...texts: readonly string[]): NetworkText[] => texts.map((text) => readIPv6Network(text)!)

export const ipv4: IPFamily = Object.freeze({
  name: "IPv4",
  word: line`ip`,
  addressType: line`ipv4_addr`,
  loopback: networks4("127.0.0.0/8")[0]!,
  multicast: networks4("224.0.0.0/4")[0]!,
  special: networks4("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16"),
  owns: (text: string) => !text.includes(":"),
  readAddress: readIPv4,
  readNetwork: readIPv4Network,
})

export const ipv6: IPFamily = Object.freeze({
  name: "IPv6",
  word: line`ip6`,
  addressType: line`ipv6_addr`,
  loopback: networks6("::1/128")[0]!,
  multicast: networks6("ff00::/8")[0]!,
  special: networks6("::/128", "::1/128", "fe80::/10"),
  owns: (text: string) => text.includes(":"),
  readAddress(text: string) {
    const address = readAddress(text)
    return address?.includes(":") ? (address as IPv6Address) : undefined
  },
  readNetwork: readIPv6Network,
})

export const ipFamilies: readonly IPFamily[] = [ipv4, ipv6]

function readIPv6Network(text: string): IPv6Network | undefined {
  const network = text.length <= 64 ? parseCIDR(text.trim()) : undefined
  if (network?.address.bytes.length !== 16) return undefined
  const start = formatIP(networkAddress(network))
  // One of IPv4 addresses inside IPv6 is printed as such.
  return start.includes(":") ? (`${start}/${network.prefixLength}` as IPv6Network) : undefined
}

export function familyOf(text: AddressText | NetworkText): IPFamily {
  return ipv4.owns(text) ? ipv4 : ipv6
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export function addressAndPort(address: AddressText, port: PortNumber): HostText {
  return ipv4.owns(address) ? line`${address}:${port}` : line`[${address}]:${port}`
}

/** The address as a part of a name: nftables' have no colon. */
export function addressInName(address: AddressText): HostText {
  return address.replaceAll(":", ".") as HostText
}
