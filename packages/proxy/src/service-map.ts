/**
 * What the proxy must do, from Services, EndpointSlices and this node's pods. Pure.
 * Mirrors: pkg/proxy/servicechangetracker.go, endpointslicecache.go, topology.go
 */
import type { EndpointSlice, Pod, Service } from "@knarr/api"

export type Protocol = "tcp" | "udp" | "sctp"

export interface Target {
  readonly address: string
  readonly port: number
}

/** One port of one Service: from where it can be reached, and what answers. */
export interface ServicePort {
  /** `namespace/name:port`. */
  readonly name: string
  readonly protocol: Protocol
  readonly clusterIP: string
  readonly port: number
  /** 0 for none. */
  readonly nodePort: number
  /** Load balancer and external addresses. */
  readonly externalIPs: readonly string[]
  /** Clients allowed on load balancer addresses; empty: all. */
  readonly sourceRanges: readonly string[]
  /** Seconds a client stays with its endpoint; 0: none. */
  readonly affinitySeconds: number
  /** For traffic from inside the cluster. */
  readonly internal: readonly Target[]
  /** For node ports and external addresses. */
  readonly external: readonly Target[]
  /** External traffic keeps its source address. */
  readonly externalLocal: boolean
  /** There are endpoints somewhere, though perhaps none that may be used here: drop instead of refuse. */
  readonly hasAny: boolean
}

export interface HostPort {
  readonly name: string
  readonly protocol: Protocol
  /** "" for every address of the node. */
  readonly hostIP: string
  readonly hostPort: number
  readonly target: Target
}

export interface ProxyInput {
  readonly services: readonly Service[]
  /** Slices by `namespace/service`. */
  readonly slicesOf: (key: string) => readonly EndpointSlice[]
  /** This node's pods. */
  readonly pods: readonly Pod[]
  readonly nodeName: string
}

export interface ProxyState {
  readonly servicePorts: readonly ServicePort[]
  readonly hostPorts: readonly HostPort[]
}

export function computeProxyState(input: ProxyInput): ProxyState {
  const servicePorts: ServicePort[] = []
  for (const service of input.services) {
    const { spec } = service
    const clusterIP = spec.clusterIP ?? ""
    const skip = service.metadata.labels?.["service.kubernetes.io/service-proxy-name"] !== undefined
    if (
      skip ||
      spec.type === "ExternalName" ||
      clusterIP === "" ||
      clusterIP === "None" ||
      clusterIP.includes(":")
    )
      continue
    const key = `${service.metadata.namespace}/${service.metadata.name}`
    const slices = input.slicesOf(key)
    const balancers = (service.status.loadBalancer?.ingress ?? [])
      .filter((ingress) => ingress.ipMode !== "Proxy")
      .flatMap((ingress) => (ingress.ip ? [ingress.ip] : []))
    for (const port of spec.ports ?? []) {
      const endpoints = endpointsOf(slices, port.name ?? "")
      const local = endpoints.filter((endpoint) => endpoint.nodeName === input.nodeName)
      const externalLocal = spec.externalTrafficPolicy === "Local"
      servicePorts.push({
        name: `${key}${port.name ? `:${port.name}` : ""}`,
        protocol: (port.protocol ?? "TCP").toLowerCase() as Protocol,
        clusterIP,
        port: port.port,
        nodePort: spec.type === "NodePort" || spec.type === "LoadBalancer" ? (port.nodePort ?? 0) : 0,
        externalIPs: [...(spec.externalIPs ?? []), ...balancers].filter((ip) => !ip.includes(":")),
        sourceRanges: (spec.loadBalancerSourceRanges ?? []).filter((range) => !range.includes(":")),
        affinitySeconds:
          spec.sessionAffinity === "ClientIP"
            ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800)
            : 0,
        internal: usable(spec.internalTrafficPolicy === "Local" ? local : endpoints),
        external: usable(externalLocal ? local : endpoints),
        externalLocal,
        hasAny: endpoints.length > 0,
      })
    }
  }
  servicePorts.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  return { servicePorts, hostPorts: hostPortsOf(input.pods) }
}

interface Endpoint extends Target {
  readonly nodeName: string | undefined
  readonly ready: boolean
  readonly servingTerminating: boolean
}

function endpointsOf(slices: readonly EndpointSlice[], portName: string): Endpoint[] {
  const found = new Map<string, Endpoint>()
  for (const slice of slices) {
    if (slice.addressType !== "IPv4") continue
    for (const port of slice.ports ?? []) {
      if ((port.name ?? "") !== portName || !port.port) continue
      for (const { addresses, conditions, nodeName } of slice.endpoints ?? []) {
        const ready = conditions?.ready !== false
        const servingTerminating = conditions?.serving === true && conditions.terminating === true
        const address = addresses?.[0]
        if (address)
          found.set(`${address}:${port.port}`, {
            address,
            port: port.port,
            nodeName,
            ready,
            servingTerminating,
          })
      }
    }
  }
  return [...found.values()].sort((a, b) =>
    a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port,
  )
}

/** Ready endpoints; when there is none, those that still serve while they end. */
function usable(endpoints: readonly Endpoint[]): Target[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready)
  const chosen = ready.length > 0 ? ready : endpoints.filter((endpoint) => endpoint.servingTerminating)
  return chosen.map(({ address, port }) => ({ address, port }))
}

function hostPortsOf(pods: readonly Pod[]): HostPort[] {
  const found: HostPort[] = []
  for (const pod of pods) {
    const address = pod.status.podIP
    if (pod.spec.hostNetwork || !address || pod.status.phase === "Succeeded" || pod.status.phase === "Failed")
      continue
    const sidecars = (pod.spec.initContainers ?? []).filter(
      (container) => container.restartPolicy === "Always",
    )
    for (const container of [...sidecars, ...pod.spec.containers]) {
      for (const port of container.ports ?? []) {
        if (!port.hostPort) continue
        found.push({
          name: `${pod.metadata.namespace}/${pod.metadata.name}`,
          protocol: (port.protocol ?? "TCP").toLowerCase() as Protocol,
          hostIP: port.hostIP === "0.0.0.0" || !port.hostIP ? "" : port.hostIP,
          hostPort: port.hostPort,
          target: { address, port: port.containerPort },
        })
      }
    }
  }
  return found.sort((a, b) => a.hostPort - b.hostPort || (a.name < b.name ? -1 : 1))
}
