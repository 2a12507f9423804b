/**
 * What the proxy must do, from Services, EndpointSlices and this node's pods. Pure. Whatever cannot be used is left
 * out by itself, and named with its reason: one bad object never costs another its place.
 * Mirrors: pkg/proxy/servicechangetracker.go, serviceport.go, endpointslicecache.go, topology.go
 */
import type { Owner } from "./owner.ts"
import {
  holds,
  parseCIDR,
  quoted,
  ipv4,
  readAddress,
  readPort,
  readProtocol,
  type AddressText,
  type IPFamily,
  type NetworkText,
  type PortNumber,
  type TransportProtocol,
} from "@knarr/apimachinery"
import type { EndpointSlice, Pod, Service } from "@knarr/api"
import { messageOf } from "@knarr/base"
import { categorize, endpointsOf, type Target } from "./endpoints.ts"
import { hostPortsOf, type HostPort } from "./host-ports.ts"

/** One port of one Service: from where it can be reached, and what answers. */
export interface ServicePort {
  readonly owner: Owner
  /** `namespace/name:port`. */
  readonly name: string
  readonly protocol: TransportProtocol
  readonly clusterIP: AddressText
  readonly port: PortNumber
  readonly nodePort: PortNumber | undefined
  readonly externalIPs: readonly AddressText[]
  /** Addresses of load balancers that keep the destination address. */
  readonly balancerIPs: readonly AddressText[]
  /** Clients allowed on load balancer addresses; undefined: all. */
  readonly sourceRanges: readonly NetworkText[] | undefined
  /** Seconds a client stays with its endpoint; 0: none. */
  readonly affinitySeconds: number
  /** Usable endpoints of the whole cluster, and of this node. */
  readonly cluster: readonly Target[]
  readonly local: readonly Target[]
  /** Traffic to the cluster IP, and to all other addresses, stays on this node. */
  readonly internalLocal: boolean
  readonly externalLocal: boolean
  /** There are usable endpoints somewhere, though perhaps none that may be used here: drop instead of refuse. */
  readonly hasAny: boolean
  /** Endpoints to which existing UDP flows may still go. */
  readonly serving: readonly Target[]
}

/** The port on which a load balancer asks whether this node has endpoints of a Service. */
export interface HealthCheck {
  readonly owner: Owner
  readonly port: PortNumber
  readonly localEndpoints: number
}

/** Something of an object that is not programmed, and why. */
export interface Refused {
  readonly owner: Owner
  readonly reason: string
}

/** What the state of one family is made from. A node with two has two states, and a table for each. */
export interface ProxyInput {
  /** Only addresses, ranges, slices and pods of this one are looked at. */
  readonly family: IPFamily
  readonly services: readonly Service[]
  /** Slices by `namespace/service`. */
  readonly slicesOf: (key: string) => readonly EndpointSlice[]
  /** This node's pods. */
  readonly pods: readonly Pod[]
  readonly nodeName: string
  /** The node's zone, for endpoints that prefer theirs. */
  readonly zone?: string | undefined
  /** This cluster's ranges: no Service may take addresses of them. */
  readonly reserved: readonly NetworkText[]
  /** Ranges of other clusters on the machine: no Service takes addresses of them, and none leads there. */
  readonly foreign: readonly NetworkText[]
  /** This machine's own addresses: they are nobody's external IPs. */
  readonly ownAddresses: readonly AddressText[]
}

export interface ProxyState {
  readonly servicePorts: readonly ServicePort[]
  readonly hostPorts: readonly HostPort[]
  readonly healthChecks: readonly HealthCheck[]
  readonly refused: readonly Refused[]
  readonly foreign: readonly NetworkText[]
}

/** Multicast, reserved and broadcast. */
const aboveUnicast = ipv4.readNetwork("224.0.0.0/3")!

export function computeProxyState(input: ProxyInput): ProxyState {
  const servicePorts: ServicePort[] = []
  const healthChecks: HealthCheck[] = []
  const refused: Refused[] = []
  for (const service of [...input.services].sort(byAge)) {
    guarded("Service", service, refused, (owner, refuse) => {
      const found = portsOf(service, owner, input, refuse)
      servicePorts.push(...found.ports)
      if (found.healthCheck) healthChecks.push(found.healthCheck)
    })
  }
  const hostPorts: HostPort[] = []
  for (const pod of input.pods)
    guarded("Pod", pod, refused, (owner, refuse) => {
      hostPorts.push(...hostPortsOf(pod, owner, input, refuse))
    })
  hostPorts.sort((a, b) => a.hostPort - b.hostPort || (keyOf(a.owner) < keyOf(b.owner) ? -1 : 1))
  const { foreign } = input
  return { servicePorts: withoutClashes(servicePorts, refused), hostPorts, healthChecks, refused, foreign }
}

/** Runs `fn` for one object; whatever goes wrong is that object's alone. */
function guarded(
  kind: Owner["kind"],
  { metadata: { namespace = "", name = "", uid = "" } }: Service | Pod,
  refused: Refused[],
  fn: (owner: Owner, refuse: (reason: string) => void) => void,
): void {
  const owner = { kind, namespace, name, uid }
  const refuse = (reason: string): void => void refused.push({ owner, reason })
  try {
    fn(owner, refuse)
  } catch (thrown) {
    refuse(messageOf(thrown))
  }
}

function portsOf(
  service: Service,
  owner: Owner,
  input: ProxyInput,
  refuse: (reason: string) => void,
): { ports: ServicePort[]; healthCheck?: HealthCheck } {
  const { spec, status, metadata } = service
  const { labels } = metadata
  const none = { ports: [] }
  if (
    labels?.["service.kubernetes.io/service-proxy-name"] !== undefined ||
    labels?.["service.kubernetes.io/headless"] !== undefined ||
    spec.type === "ExternalName"
  )
    return none
  const { family } = input
  const ownIP = spec.clusterIPs?.find((ip) => family.owns(ip)) ?? spec.clusterIP ?? ""
  if (ownIP === "" || ownIP === "None" || !family.owns(ownIP)) return none
  const clusterIP = family.readAddress(ownIP)
  if (clusterIP === undefined) {
    refuse(`its cluster IP ${quoted(ownIP)} is no address`)
    return none
  }
  const outer = (what: string, texts: readonly string[]): AddressText[] =>
    [...new Set(texts)].flatMap((text) => {
      const address = family.readAddress(text)
      if (address === undefined) {
        // Those of the other family are somebody else's.
        if (readAddress(text) === undefined) refuse(`its ${what} ${quoted(text)} is no address`)
        return []
      }
      const nobodys = [...family.special, aboveUnicast, family.multicast]
      const range = [...nobodys, ...input.reserved, ...input.foreign].find((network) =>
        holds(network, address),
      )
      if (range === undefined && what === "external IP" && input.ownAddresses.includes(address)) {
        refuse(`its external IP ${address} is this machine's own`)
        return []
      }
      if (range === undefined) return [address]
      refuse(`its ${what} ${address} belongs to ${range}, which no Service may take addresses of`)
      return []
    })
  const externalIPs = outer("external IP", spec.externalIPs ?? [])
  const balancerIPs = outer(
    "load balancer IP",
    (status.loadBalancer?.ingress ?? [])
      .filter((ingress) => ingress.ipMode !== "Proxy")
      .flatMap((ingress) => (ingress.ip ? [ingress.ip] : [])),
  )
  const hasNodePorts = spec.type === "NodePort" || spec.type === "LoadBalancer"
  const accessible = hasNodePorts || (spec.externalIPs ?? []).length > 0
  const externalLocal = accessible && spec.externalTrafficPolicy === "Local"
  const internalLocal = spec.internalTrafficPolicy === "Local"
  const key = `${owner.namespace}/${owner.name}`
  const slices = input.slicesOf(key)
  const localAddresses = new Set<string>()
  const ports: ServicePort[] = []
  for (const port of spec.ports ?? []) {
    const number = readPort(port.port)
    const protocol = readProtocol(port.protocol)
    if (number === undefined || protocol === undefined) {
      refuse(`its port ${quoted(port.name ?? "")} (${port.port}, ${quoted(port.protocol ?? "TCP")}) is none`)
      continue
    }
    const endpoints = endpointsOf(slices, { portName: port.name ?? "", protocol }, input, refuse)
    for (const { local, ready, address } of endpoints) if (local && ready) localAddresses.add(address)
    ports.push({
      owner,
      name: `${key}${port.name ? `:${port.name}` : ""}`,
      protocol,
      clusterIP,
      port: number,
      nodePort: hasNodePorts ? readPort(port.nodePort) : undefined,
      externalIPs,
      balancerIPs,
      sourceRanges: sourceRangesOf(spec.loadBalancerSourceRanges ?? [], family, refuse),
      affinitySeconds:
        spec.sessionAffinity === "ClientIP"
          ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800)
          : 0,
      internalLocal,
      externalLocal,
      ...categorize(endpoints, input.nodeName, input.zone),
    })
  }
  const checkPort =
    spec.type === "LoadBalancer" && externalLocal ? readPort(spec.healthCheckNodePort) : undefined
  if (checkPort === undefined) return { ports }
  const healthCheck = { owner, port: checkPort, localEndpoints: localAddresses.size }
  return { ports, healthCheck }
}

/** Ranges of the other family do not count; one that is none lets nobody in. */
function sourceRangesOf(
  texts: readonly string[],
  family: IPFamily,
  refuse: (reason: string) => void,
): readonly NetworkText[] | undefined {
  const ours = texts.filter((text) => family.owns(text) || parseCIDR(text.trim()) === undefined)
  if (ours.length === 0) return undefined
  const ranges = ours.flatMap((text) => {
    const range = family.readNetwork(text)
    if (range === undefined) refuse(`its load balancer source range ${quoted(text)} is no network`)
    return range ?? []
  })
  if (ranges.some((range) => range.endsWith("/0"))) return undefined
  // A set takes no range twice, nor one within another.
  return ranges.filter(
    (range, i) => !ranges.some((other, j) => holds(other, range) && (!holds(range, other) || j < i)),
  )
}

/** What an older service has (they come sorted by age), a younger one does not get: cluster IPs before all others. */
function withoutClashes(ports: readonly ServicePort[], refused: Refused[]): ServicePort[] {
  const taken = new Map<string, string>()
  const free = ({ owner, name }: ServicePort, key: string): boolean => {
    const other = taken.get(key)
    if (other === undefined) taken.set(key, name)
    else
      refused.push({
        owner,
        reason: `${key} of its port ${quoted(name)} belongs to ${quoted(other)} already`,
      })
    return other === undefined
  }
  return ports
    .filter((port) => free(port, `${port.clusterIP}:${port.port}/${port.protocol}`))
    .map((port) => {
      const mine = (ip: AddressText): boolean => free(port, `${ip}:${port.port}/${port.protocol}`)
      return {
        ...port,
        externalIPs: port.externalIPs.filter(mine),
        balancerIPs: port.balancerIPs.filter((ip) => port.externalIPs.includes(ip) || mine(ip)),
        nodePort:
          port.nodePort !== undefined && free(port, `node port ${port.nodePort}/${port.protocol}`)
            ? port.nodePort
            : undefined,
      }
    })
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

export function keyOf({ kind, namespace, name }: Owner): string {
  return `${kind}/${namespace}/${name}`
}

function byAge(a: Service, b: Service): number {
  const key = ({ metadata }: Service): string =>
    `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`
  return key(a) < key(b) ? -1 : 1
}
