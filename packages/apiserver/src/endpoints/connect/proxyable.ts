/**
 * Nobody is led to what listens only on this machine, its link or a group: addresses are parsed before they are
 * looked at, names are resolved first, and what was looked at is what is dialled.
 * Mirrors: apimachinery pkg/util/proxy, pkg/proxy/util IsProxyableIP, IsProxyableHostname
 */
import { lookup as resolve } from "node:dns"
import { BlockList, isIP, type LookupFunction } from "node:net"
import { badRequest } from "@knarr/apimachinery"

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

/** Whether a text is an address that others may be led to. IPv4 in IPv6 counts as IPv4; a zone makes it local. */
export function isProxyableAddress(text: string): boolean {
  const family = isIP(text)
  if (family === 0 || text.includes("%")) return false
  return !refused.check(text, family === 6 ? "ipv6" : "ipv4")
}

/** The address that a name has is not one that others may be led to. */
export class AddressNotAllowed extends Error {
  constructor() {
    super("address not allowed")
    this.name = "AddressNotAllowed"
  }
}

/** Throws the 400 StatusError for an address that is not allowed. Names pass: {@link proxyableLookup} sees them later. */
export function requireProxyable(host: string): string {
  if (host === "" || (isIP(host) !== 0 && !isProxyableAddress(host))) throw badRequest("address not allowed")
  return host
}

/** Resolves a name for a connection; fails with {@link AddressNotAllowed} when one of its addresses is not allowed. */
export const proxyableLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, "")
    if (addresses.length === 0 || !addresses.every(({ address }) => isProxyableAddress(address)))
      return callback(new AddressNotAllowed(), "")
    if (options.all) return callback(null, addresses)
    callback(null, addresses[0]!.address, addresses[0]!.family)
  })
}
