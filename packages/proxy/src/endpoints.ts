/**
 * The endpoints of a Service's port, and which of them may be used from this node. Pure.
 * Mirrors: pkg/proxy/endpointslicecache.go, topology.go
 */
import {
  familyOf,
  holds,
  ipv4Network,
  quoted,
  readPort,
  readProtocol,
  type AddressText,
  type IPFamily,
  type NetworkText,
  type PortNumber,
  type TransportProtocol,
} from "@knarr/apimachinery"
import type { EndpointSlice } from "@knarr/api"

export interface Target {
  readonly address: AddressText
  readonly port: PortNumber
}

export interface Endpoint extends Target {
  readonly local: boolean
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly forNodes: readonly string[]
  readonly forZones: readonly string[]
}

const broadcast = ipv4Network("255.255.255.255/32")

/** The range because of which nobody may be led to an address; `foreign` are other clusters'. */
export function barredBy(address: AddressText, foreign: readonly NetworkText[]): NetworkText | undefined {
  const { special, multicast } = familyOf(address)
  return [...special, multicast, broadcast, ...foreign].find((network) => holds(network, address))
}

/** Those of one port. What is no address, or one that nobody may be led to, is told to `refuse`. */
export function endpointsOf(
  slices: readonly EndpointSlice[],
  { portName, protocol }: { readonly portName: string; readonly protocol: TransportProtocol },
  {
    family,
    nodeName,
    foreign,
  }: { readonly family: IPFamily; readonly nodeName: string; readonly foreign: readonly NetworkText[] },
  refuse: (reason: string) => void,
): Endpoint[] {
  const found = new Map<string, Endpoint>()
  for (const slice of slices) {
    if (slice.addressType !== family.name) continue
    if (slice.metadata.labels?.["service.kubernetes.io/headless"] !== undefined) continue
    for (const { name, port: number, protocol: text } of slice.ports ?? []) {
      if ((name ?? "") !== portName || readProtocol(text) !== protocol || !number) continue
      const port = readPort(number)
      for (const { addresses, conditions, nodeName: node, hints } of slice.endpoints ?? []) {
        const [first] = addresses ?? []
        if (!first) continue
        const address = family.readAddress(first)
        if (address === undefined || port === undefined) {
          refuse(`its endpoint ${quoted(`${first}:${number}`)} is no address`)
          continue
        }
        const barred = barredBy(address, foreign)
        if (barred !== undefined) {
          refuse(`its endpoint ${address} belongs to ${barred}, where no endpoint may be`)
          continue
        }
        const terminating = conditions?.terminating === true
        const key = `${address}:${port}`
        // The address of a pod that ends may be another's already.
        if (found.has(key) && terminating) continue
        found.set(key, {
          address,
          port,
          local: node !== undefined && node === nodeName,
          ready: conditions?.ready !== false,
          serving: conditions?.serving !== false,
          terminating,
          forNodes: (hints?.forNodes ?? []).map((hint) => hint.name),
          forZones: (hints?.forZones ?? []).map((hint) => hint.name),
        })
      }
    }
  }
  return [...found.values()].sort((a, b) =>
    a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port,
  )
}

/** Sorts out what the traffic policies choose from. */
export function categorize(
  endpoints: readonly Endpoint[],
  nodeName: string,
  zone: string | undefined,
): {
  readonly cluster: readonly Target[]
  readonly local: readonly Target[]
  readonly hasAny: boolean
  readonly serving: readonly Target[]
} {
  const nearby = topology(endpoints, nodeName, zone)
  const usable = (from: readonly Endpoint[], within: (endpoint: Endpoint) => boolean): Target[] => {
    const ready = from.filter((endpoint) => endpoint.ready && within(endpoint))
    // When nothing is ready, those that still serve while they end.
    const chosen =
      ready.length > 0 ? ready : from.filter((endpoint) => endpoint.serving && endpoint.terminating)
    return chosen.map(target)
  }
  const cluster = usable(endpoints, nearby)
  return {
    cluster,
    local: usable(
      endpoints.filter((endpoint) => endpoint.local),
      () => true,
    ),
    hasAny: cluster.length > 0,
    serving: endpoints.filter((endpoint) => endpoint.serving).map(target),
  }
}

/** Hints count when every ready endpoint has one and this place has an endpoint. */
function topology(
  endpoints: readonly Endpoint[],
  nodeName: string,
  zone: string | undefined,
): (endpoint: Endpoint) => boolean {
  const ready = endpoints.filter((endpoint) => endpoint.ready)
  const here = (endpoint: Endpoint): boolean => endpoint.forNodes.includes(nodeName)
  const near = (endpoint: Endpoint): boolean => zone !== undefined && endpoint.forZones.includes(zone)
  if (ready.every((endpoint) => endpoint.forNodes.length > 0) && ready.some(here)) return here
  if (ready.every((endpoint) => endpoint.forZones.length > 0) && ready.some(near)) return near
  return () => true
}

function target({ address, port }: Endpoint): Target {
  return { address, port }
}
