/** Which EndpointSlices a service needs and how the present ones become them. Pure. Mirrors: staging endpointslice/reconciler.go */
import type { Endpoint, EndpointSlice, EndpointSlicePort, Node, Pod, Service } from "@knarr/api"
import { semanticEqual } from "@knarr/apimachinery"
import { isPodReady } from "../workload/pod-state.ts"
import { canonicalJson } from "../workload/template-hash.ts"
import {
  belongsToEndpoints,
  headlessLabel,
  hostnameIn,
  isHeadless,
  isIPv6,
  managedByLabel,
  podAddresses,
  serviceNameLabel,
  targetPort,
  triggerTimeAnnotation,
} from "./endpoint-rules.ts"

export const managedBy = "endpointslice-controller.k8s.io"
const defaultMaxEndpoints = 100
const zoneLabel = "topology.kubernetes.io/zone"

export interface SlicePlan {
  readonly create: SliceDraft[]
  readonly update: EndpointSlice[]
  readonly delete: EndpointSlice[]
}

export interface SliceDraft {
  readonly addressType: string
  readonly ports: EndpointSlicePort[]
  readonly endpoints: Endpoint[]
}

/** The address types that a service needs. */
function addressTypes(service: Service): string[] {
  const { ipFamilies, clusterIP } = service.spec
  if (ipFamilies && ipFamilies.length > 0) return [...ipFamilies]
  return [clusterIP && isIPv6(clusterIP) ? "IPv6" : "IPv4"]
}

/** A pod as an endpoint of a service. */
function endpointOf(pod: Pod, service: Service, node: Node | undefined, ipv6: boolean): Endpoint {
  const serving = isPodReady(pod)
  const terminating = Boolean(pod.metadata.deletionTimestamp)
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating)
  const endpoint: Endpoint = {
    addresses: podAddresses(pod, ipv6),
    conditions: { ready, serving, terminating },
    targetRef: {
      kind: "Pod",
      namespace: pod.metadata.namespace,
      name: pod.metadata.name,
      uid: pod.metadata.uid,
    },
  }
  if (pod.spec.nodeName) endpoint.nodeName = pod.spec.nodeName
  const zone = node?.metadata.labels?.[zoneLabel]
  if (zone) endpoint.zone = zone
  const hostname = hostnameIn(pod, service)
  if (hostname) endpoint.hostname = hostname
  const hints = hintsFor(service, endpoint)
  if (hints) endpoint.hints = hints
  return endpoint
}

function hintsFor(service: Service, endpoint: Endpoint): Endpoint["hints"] {
  const { zone, nodeName } = endpoint
  const forZones = zone ? [{ name: zone }] : undefined
  switch (service.spec.trafficDistribution) {
    case "PreferClose":
    case "PreferSameZone":
      return endpoint.conditions?.ready && forZones ? { forZones } : undefined
    case "PreferSameNode":
      if (!endpoint.conditions?.ready || !nodeName) return undefined
      return forZones ? { forZones, forNodes: [{ name: nodeName }] } : { forNodes: [{ name: nodeName }] }
    default:
      return undefined
  }
}

function endpointPorts(pod: Pod, service: Service): EndpointSlicePort[] {
  const out: EndpointSlicePort[] = []
  for (const port of service.spec.ports ?? []) {
    const number = targetPort(pod, port)
    if (number === undefined) continue
    const one: EndpointSlicePort = { name: port.name ?? "", port: number, protocol: port.protocol ?? "TCP" }
    if (port.appProtocol !== undefined) one.appProtocol = port.appProtocol
    out.push(one)
  }
  return out
}

/** The labels of a service's slices. */
export function sliceLabels(service: Service): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const [name, value] of Object.entries(service.metadata.labels ?? {})) {
    if (name !== headlessLabel && name !== serviceNameLabel && name !== managedByLabel) labels[name] = value
  }
  if (isHeadless(service)) labels[headlessLabel] = ""
  labels[serviceNameLabel] = service.metadata.name
  labels[managedByLabel] = managedBy
  return labels
}

export interface SliceInput {
  readonly service: Service
  /** Those that the selector matches. */
  readonly pods: readonly Pod[]
  readonly nodeOf: (name: string) => Node | undefined
  /** This controller's slices of the service. */
  readonly present: readonly EndpointSlice[]
  readonly maxEndpoints?: number
}

interface Group {
  readonly ports: EndpointSlicePort[]
  readonly endpoints: Map<string, Endpoint>
}

/** What to create, change and delete. Changed slices have new endpoints and labels; the caller sets annotations. */
export function planSlices(input: SliceInput): SlicePlan {
  const { service, pods, present } = input
  const plan: SlicePlan = { create: [], update: [], delete: [] }
  const types = addressTypes(service)
  plan.delete.push(...present.filter((slice) => !types.includes(slice.addressType)))
  for (const addressType of types) {
    const ipv6 = addressType === "IPv6"
    const groups = new Map<string, Group>()
    for (const pod of pods) {
      if (!belongsToEndpoints(pod, true) || podAddresses(pod, ipv6).length === 0) continue
      const node = input.nodeOf(pod.spec.nodeName ?? "")
      // A node that is not known (any more) is no place to send to.
      if (!node && !service.spec.publishNotReadyAddresses) continue
      const ports = endpointPorts(pod, service)
      const key = canonicalJson(ports)
      let group = groups.get(key)
      if (!group) groups.set(key, (group = { ports, endpoints: new Map() }))
      const endpoint = endpointOf(pod, service, node, ipv6)
      group.endpoints.set(endpointKey(endpoint), endpoint)
    }
    planFamily(
      groups,
      present.filter((slice) => slice.addressType === addressType),
      addressType,
      sliceLabels(service),
      input.maxEndpoints ?? defaultMaxEndpoints,
      plan,
    )
  }
  return plan
}

function endpointKey(endpoint: Endpoint): string {
  return `${endpoint.targetRef?.uid}|${endpoint.addresses.join(",")}`
}

function planFamily(
  groups: ReadonlyMap<string, Group>,
  present: readonly EndpointSlice[],
  addressType: string,
  labels: Record<string, string>,
  max: number,
  plan: SlicePlan,
): void {
  let kept = 0
  const empty: EndpointSlice[] = []
  const created: SliceDraft[] = []
  const byPorts = new Map<string, EndpointSlice[]>()
  for (const slice of present) {
    const key = canonicalJson(slice.ports ?? [])
    if (groups.has(key)) byPorts.set(key, [...(byPorts.get(key) ?? []), slice])
    else empty.push(slice)
  }
  for (const [key, { ports, endpoints }] of groups) {
    const wanted = new Map(endpoints)
    const drafts: { slice: EndpointSlice; endpoints: Endpoint[]; changed: boolean }[] = []
    for (const slice of byPorts.get(key) ?? []) {
      const keep: Endpoint[] = []
      let changed = !semanticEqual(slice.metadata.labels, labels)
      for (const old of slice.endpoints ?? []) {
        const want = wanted.get(endpointKey(old))
        if (!want) {
          changed = true
          continue
        }
        wanted.delete(endpointKey(old))
        if (!semanticEqual(old, want)) changed = true
        keep.push(want)
      }
      drafts.push({ slice, endpoints: keep, changed })
    }
    const rest = [...wanted.values()]
    // Slices that are written anyway take what is new first; then the fullest that can take all the rest.
    for (const draft of drafts) {
      if (draft.changed && draft.endpoints.length > 0)
        draft.endpoints.push(...rest.splice(0, Math.max(0, max - draft.endpoints.length)))
    }
    if (rest.length > 0) {
      const roomy = drafts
        .filter((draft) => max - draft.endpoints.length >= rest.length % max && rest.length % max > 0)
        .sort((a, b) => b.endpoints.length - a.endpoints.length)[0]
      if (roomy) {
        roomy.endpoints.push(...rest.splice(0, rest.length % max))
        roomy.changed = true
      }
    }
    while (rest.length > 0) created.push({ addressType, ports, endpoints: rest.splice(0, max) })
    for (const { slice, endpoints: next, changed } of drafts) {
      if (next.length === 0) empty.push(slice)
      else {
        kept++
        if (changed) plan.update.push({ ...slice, endpoints: next, metadata: { ...slice.metadata, labels } })
      }
    }
  }
  // Without endpoints one slice without any stays, so that "none" differs from "not looked at yet".
  if (kept === 0 && created.length === 0) {
    const placeholder = empty.find(
      (slice) => (slice.endpoints?.length ?? 0) === 0 && (slice.ports?.length ?? 0) === 0,
    )
    if (!placeholder) created.push({ addressType, ports: [], endpoints: [] })
    else {
      empty.splice(empty.indexOf(placeholder), 1)
      if (!semanticEqual(placeholder.metadata.labels, labels)) {
        plan.update.push({ ...placeholder, metadata: { ...placeholder.metadata, labels } })
      }
    }
  }
  // A slice that would go can as well become one that is needed.
  while (created.length > 0 && empty.length > 0) {
    const { ports, endpoints } = created.shift()!
    const slice = empty.shift()!
    plan.update.push({ ...slice, ports, endpoints, metadata: { ...slice.metadata, labels } })
  }
  plan.create.push(...created)
  plan.delete.push(...empty)
}

/** Annotations with the trigger time, or without one when the change has none. */
export function withTriggerTime(
  annotations: Readonly<Record<string, string>> | undefined,
  time: string | undefined,
): Record<string, string> {
  const { [triggerTimeAnnotation]: _old, ...rest } = annotations ?? {}
  return time === undefined ? rest : { ...rest, [triggerTimeAnnotation]: time }
}
