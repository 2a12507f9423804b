/**
 * Nobody is led to what listens only on this machine, its link or a group: addresses are parsed before they are
 * looked at, names are resolved first, and what was looked at is what is dialled. Nor to networks that are others'.
 * Mirrors: apimachinery pkg/util/proxy, pkg/proxy/util IsProxyableIP, IsProxyableHostname
 */
import { lookup as resolve } from "node:dns"
import { BlockList, isIP, type LookupFunction } from "node:net"
import { badRequest, spanOf, type IPv4Network } from "@knarr/apimachinery"

const refused = new BlockList()
for (const [network, prefix] of [
  ["0.0.0.0", 32],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["224.0.0.0", 4],
  ["255.255.255.255", 32],
] as const)
  refused.addSubnet(network, prefix, "ipv4")
for (const [network, prefix] of [
  ["::", 128],
  ["::1", 128],
  ["fe80::", 10],
  ["ff00::", 8],
] as const)
  refused.addSubnet(network, prefix, "ipv6")

/** The address that a name has is not one that others may be led to. */
export class AddressNotAllowed extends Error {
  constructor() {
    super("address not allowed")
    this.name = "AddressNotAllowed"
  }
}

/** Whom the server connects to on behalf of others. */
export class Destinations {
  readonly #forbidden: () => readonly IPv4Network[]

  /** `forbidden` networks are asked for anew with each connection. */
  constructor(forbidden: () => readonly IPv4Network[] = () => []) {
    this.#forbidden = forbidden
  }

  /** Whether a text is an address that others may be led to. IPv4 in IPv6 counts as IPv4; a zone makes it local. */
  isProxyable(text: string): boolean {
    const family = isIP(text)
    if (family === 0 || text.includes("%")) return false
    return !refused.check(text, family === 6 ? "ipv6" : "ipv4") && this.isPermitted(text)
  }

  /** Whether an address is in none of the forbidden networks. Loopback is in none: kubelets may be there. */
  isPermitted(text: string): boolean {
    const forbidden = new BlockList()
    for (const network of this.#forbidden()) {
      const { prefixLength } = spanOf(network)
      forbidden.addSubnet(network.slice(0, network.indexOf("/")), prefixLength, "ipv4")
    }
    return !forbidden.check(text.replace(/%.*$/s, ""), isIP(text) === 6 ? "ipv6" : "ipv4")
  }

  /** Throws the 400 StatusError for an address that is not proxyable. Names pass: {@link proxyableLookup} sees them later. */
  requireProxyable(host: string): string {
    if (host === "" || (isIP(host) !== 0 && !this.isProxyable(host))) throw badRequest("address not allowed")
    return host
  }

  /** Throws the 400 StatusError for an address that is not permitted. Names pass: {@link permittedLookup} sees them later. */
  requirePermitted(host: string): string {
    if (isIP(host) !== 0 && !this.isPermitted(host)) throw badRequest("address not allowed")
    return host
  }

  /** Resolves a name for a connection; fails with {@link AddressNotAllowed} when one of its addresses is not proxyable. */
  readonly proxyableLookup: LookupFunction = checkedLookup((address) => this.isProxyable(address))

  /** The same for addresses that are not permitted. */
  readonly permittedLookup: LookupFunction = checkedLookup((address) => this.isPermitted(address))
}

function checkedLookup(isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, "")
      if (addresses.length === 0 || !addresses.every(({ address }) => isAllowed(address)))
        return callback(new AddressNotAllowed(), "")
      if (options.all) return callback(null, addresses)
      callback(null, addresses[0]!.address, addresses[0]!.family)
    })
  }
}
