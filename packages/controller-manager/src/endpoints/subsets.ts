/** The older form of a service's endpoints. Pure. Mirrors: pkg/controller/endpoint, pkg/api/v1/endpoints/util.go */
import type { EndpointAddress, EndpointPort, EndpointSubset, Pod, Service } from "@knarr/api"
import {
  belongsToEndpoints,
  hostnameIn,
  isHeadless,
  isIPv6,
  podAddresses,
  targetPort,
} from "../endpointslice/endpoint-rules.ts"
import { isPodReady } from "../workload/pod-state.ts"
import { canonicalJson } from "../workload/template-hash.ts"

const maxAddresses = 1000

interface Group {
  readonly ports: EndpointPort[]
  readonly ready: EndpointAddress[]
  readonly notReady: EndpointAddress[]
}

/** The subsets of a service, one for each set of ports, in canonical order. */
export function subsetsOf(
  service: Service,
  pods: readonly Pod[],
): { subsets: EndpointSubset[]; truncated: boolean } {
  const groups = new Map<string, Group>()
  const tolerant = service.spec.publishNotReadyAddresses === true
  const ipv6 = service.spec.ipFamilies?.[0] === "IPv6" || isIPv6(service.spec.clusterIP ?? "")
  for (const pod of pods) {
    const ip = belongsToEndpoints(pod, tolerant) ? podAddresses(pod, ipv6)[0] : undefined
    if (ip === undefined) continue
    const ports = portsOf(service, pod)
    if (ports.length === 0 && !(isHeadless(service) && (service.spec.ports?.length ?? 0) === 0)) continue
    const key = canonicalJson(ports)
    let group = groups.get(key)
    if (!group) groups.set(key, (group = { ports, ready: [], notReady: [] }))
    const list = tolerant || isPodReady(pod) ? group.ready : group.notReady
    list.push(addressOf(pod, service, ip))
  }
  const total = [...groups.values()].reduce(
    (sum, group) => sum + group.ready.length + group.notReady.length,
    0,
  )
  const subsets = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group)
  let room = maxAddresses
  const take = (list: EndpointAddress[]): EndpointAddress[] => {
    const taken = list.sort(byAddress).slice(0, Math.max(0, room))
    room -= taken.length
    return taken
  }
  // Ready addresses have precedence when not all fit.
  const ready = subsets.map((group) => take(group.ready))
  const notReady = subsets.map((group) => take(group.notReady))
  const out: EndpointSubset[] = []
  subsets.forEach((group, i) => {
    const subset: EndpointSubset = {}
    if (ready[i]!.length > 0) subset.addresses = ready[i]
    if (notReady[i]!.length > 0) subset.notReadyAddresses = notReady[i]
    if (group.ports.length > 0) subset.ports = group.ports
    if (subset.addresses || subset.notReadyAddresses) out.push(subset)
  })
  return { subsets: out, truncated: total > maxAddresses }
}

function portsOf(service: Service, pod: Pod): EndpointPort[] {
  const out: EndpointPort[] = []
  for (const { name, protocol, appProtocol, ...rest } of service.spec.ports ?? []) {
    const number = targetPort(pod, { ...rest, protocol })
    if (number === undefined) continue
    const port: EndpointPort = { port: number, protocol: protocol ?? "TCP" }
    if (name) port.name = name
    if (appProtocol !== undefined) port.appProtocol = appProtocol
    out.push(port)
  }
  return out.sort((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1))
}

function addressOf(pod: Pod, service: Service, ip: string): EndpointAddress {
  const { namespace, name, uid } = pod.metadata
  const address: EndpointAddress = { ip, targetRef: { kind: "Pod", namespace, name, uid } }
  if (pod.spec.nodeName) address.nodeName = pod.spec.nodeName
  const hostname = hostnameIn(pod, service)
  if (hostname) address.hostname = hostname
  return address
}

function byAddress(a: EndpointAddress, b: EndpointAddress): number {
  if (a.ip !== b.ip) return a.ip < b.ip ? -1 : 1
  return (a.targetRef?.uid ?? "") < (b.targetRef?.uid ?? "") ? -1 : 1
}
