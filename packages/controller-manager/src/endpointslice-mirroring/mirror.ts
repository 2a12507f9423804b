/** EndpointSlices that say what hand-made Endpoints say. Pure. Mirrors: pkg/controller/endpointslicemirroring */
import type { Endpoint, EndpointAddress, Endpoints, EndpointSlicePort } from "@knarr/api"
import {
  isIPv6,
  managedByLabel,
  serviceNameLabel,
  triggerTimeAnnotation,
} from "../endpointslice/endpoint-rules.ts"
import { canonicalJson } from "../workload/template-hash.ts"

export const mirrorManager = "endpointslicemirroring-controller.k8s.io"
const maxPerSubset = 1000
const maxPerSlice = 1000
const skipMirrorLabel = "endpointslice.kubernetes.io/skip-mirror"
const leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

export interface MirrorSlice {
  readonly addressType: string
  readonly ports: EndpointSlicePort[]
  readonly endpoints: Endpoint[]
}

/** False for Endpoints that ask not to be mirrored or that only elect a leader. */
export function isMirrored(obj: Endpoints): boolean {
  if (obj.metadata.labels?.[skipMirrorLabel] === "true") return false
  return obj.metadata.annotations?.[leaderAnnotation] === undefined
}

export function mirrorLabels(obj: Endpoints): Record<string, string> {
  return { ...obj.metadata.labels, [serviceNameLabel]: obj.metadata.name, [managedByLabel]: mirrorManager }
}

export function mirrorAnnotations(obj: Endpoints): Record<string, string> {
  const { [lastApplied]: _applied, [triggerTimeAnnotation]: _time, ...rest } = obj.metadata.annotations ?? {}
  return rest
}

/** One slice for each set of ports and family of addresses. */
export function mirrorSlices(obj: Endpoints): MirrorSlice[] {
  const groups = new Map<string, MirrorSlice>()
  for (const subset of obj.subsets ?? []) {
    const ports = (subset.ports ?? []).map((port) => {
      const out: EndpointSlicePort = {
        name: port.name ?? "",
        port: port.port,
        protocol: port.protocol ?? "TCP",
      }
      if (port.appProtocol !== undefined) out.appProtocol = port.appProtocol
      return out
    })
    const put = (address: EndpointAddress, ready: boolean): void => {
      const addressType = isIPv6(address.ip) ? "IPv6" : "IPv4"
      const key = `${addressType}|${canonicalJson(ports)}`
      let group = groups.get(key)
      if (!group) groups.set(key, (group = { addressType, ports, endpoints: [] }))
      if (group.endpoints.length < maxPerSlice) group.endpoints.push(endpointFrom(address, ready))
    }
    const ready = (subset.addresses ?? []).slice(0, maxPerSubset)
    for (const address of ready) put(address, true)
    for (const address of (subset.notReadyAddresses ?? []).slice(0, maxPerSubset - ready.length))
      put(address, false)
  }
  return [...groups.values()]
}

function endpointFrom(address: EndpointAddress, ready: boolean): Endpoint {
  const endpoint: Endpoint = { addresses: [address.ip], conditions: { ready } }
  if (address.targetRef) endpoint.targetRef = { ...address.targetRef }
  if (address.nodeName) endpoint.nodeName = address.nodeName
  if (address.hostname) endpoint.hostname = address.hostname
  return endpoint
}
