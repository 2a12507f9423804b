/** Which ranges for services hold which addresses and ranges. Pure. Mirrors: pkg/api/servicecidr */
import type { IPAddress, ServiceCIDR } from "@knarr/api"
import {
  formatIP,
  networkAddress,
  networkContains,
  parseCIDR,
  parseIP,
  type IPNetwork,
} from "@knarr/apimachinery"

const managerLabel = "ipaddress.kubernetes.io/managed-by"
const manager = "ipallocator.k8s.io"

type Range = Readonly<ServiceCIDR>

/** Those that have an address in common with `of`. */
export function overlapping(of: Range, all: readonly Range[]): readonly Range[] {
  return all.filter((other) => pairs(of, other).some(([a, b]) => overlaps(a, b)))
}

/** Those that hold an address that the API server gave to a Service; none for another's. */
export function containing({ metadata }: Readonly<IPAddress>, all: readonly Range[]): readonly Range[] {
  if (metadata.labels?.[managerLabel] !== manager) return []
  return all.filter((range) => networksOf(range).some((network) => holds(network, metadata.name)))
}

/** Whether no address would be left without a range. */
export function canBeDeleted(
  of: Range,
  all: readonly Range[],
  addresses: readonly Readonly<IPAddress>[],
): boolean {
  const isInside = networksOf(of).every((network) =>
    all.some(
      (other) =>
        other.metadata.name !== of.metadata.name &&
        networksOf(other).some(
          (outer) => overlaps(outer, network) && outer.prefixLength <= network.prefixLength,
        ),
    ),
  )
  if (isInside) return true
  return addresses.every((address) => {
    const holders = containing(address, all)
    return holders.length !== 1 || holders[0]!.metadata.name !== of.metadata.name
  })
}

function networksOf({ spec }: Range): IPNetwork[] {
  return (spec?.cidrs ?? []).map(parseCIDR).filter((network) => network !== undefined)
}

function pairs(a: Range, b: Range): (readonly [IPNetwork, IPNetwork])[] {
  return networksOf(a).flatMap((one) => networksOf(b).map((other) => [one, other] as const))
}

function overlaps(a: IPNetwork, b: IPNetwork): boolean {
  const [outer, inner] = a.prefixLength <= b.prefixLength ? [a, b] : [b, a]
  return networkContains(outer, inner.address)
}

/** The network's own address is no Service's, nor is the last one of IPv4. */
function holds(network: IPNetwork, text: string): boolean {
  const ip = parseIP(text)
  if (!ip || !networkContains(network, ip)) return false
  const name = formatIP(ip)
  if (formatIP(networkAddress(network)) === name) return false
  return network.address.bytes.length !== 4 || formatIP(lastOf(network)) !== name
}

function lastOf(network: IPNetwork): { readonly bytes: Uint8Array; readonly leadingZeros: boolean } {
  const { bytes } = networkAddress(network)
  const last = Uint8Array.from(bytes)
  for (let bit = network.prefixLength; bit < bytes.length * 8; bit++) last[bit >> 3]! |= 0x80 >> (bit & 7)
  return { bytes: last, leadingZeros: false }
}
