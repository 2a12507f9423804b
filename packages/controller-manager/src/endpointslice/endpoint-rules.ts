/** Which pods stand behind a service, and at which ports. Pure. Mirrors: staging endpointslice/util, pkg/api/v1/endpoints */
import type { Pod, Service, ServicePort } from "@knarr/api"
import { isPodTerminal } from "../workload/pod-state.ts"
import { setMatcher } from "../workload/selector.ts"

export const headlessLabel = "service.kubernetes.io/headless"
export const serviceNameLabel = "kubernetes.io/service-name"
export const managedByLabel = "endpointslice.kubernetes.io/managed-by"
export const triggerTimeAnnotation = "endpoints.kubernetes.io/last-change-trigger-time"

/** Whether a pod counts at all: it has an address and will not have ended. */
export function belongsToEndpoints(pod: Pod, includeTerminating: boolean): boolean {
  if (isPodTerminal(pod)) return false
  if (!pod.status?.podIP && (pod.status?.podIPs?.length ?? 0) === 0) return false
  return includeTerminating || !pod.metadata.deletionTimestamp
}

/** The number of the pod's port that a service port stands for; undefined when the pod has no port of that name. */
export function targetPort(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port
  if (typeof target === "number") return target === 0 ? port.port : target
  const protocol = port.protocol ?? "TCP"
  const sidecars = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === "Always")
  for (const container of [...pod.spec.containers, ...sidecars]) {
    const found = container.ports?.find((one) => one.name === target && (one.protocol ?? "TCP") === protocol)
    if (found) return found.containerPort
  }
  return undefined
}

export function isHeadless(service: Service): boolean {
  return service.spec.clusterIP === "None"
}

/** The pod's host name as a DNS name below the service, when it asked for one. */
export function hostnameIn(pod: Pod, service: Service): string | undefined {
  const { hostname, subdomain } = pod.spec
  return hostname && subdomain === service.metadata.name ? hostname : undefined
}

export function isIPv6(address: string): boolean {
  return address.includes(":")
}

/** The pod's addresses of one family. */
export function podAddresses(pod: Pod, ipv6: boolean): string[] {
  const all = pod.status?.podIPs?.length ? pod.status.podIPs.map((one) => one.ip) : [pod.status?.podIP ?? ""]
  return all.filter((ip) => ip !== "" && isIPv6(ip) === ipv6)
}

/** True when the service is one whose endpoints follow from a selector. */
export function selectsPods(service: Service): boolean {
  return service.spec.selector !== undefined && service.spec.type !== "ExternalName"
}

/** Whether a service's selector matches a pod. An empty selector selects every pod, as upstream has it. */
export function selects(service: Service, pod: Pod): boolean {
  const { selector } = service.spec
  if (selector === undefined) return false
  return Object.keys(selector).length === 0 || setMatcher(selector)(pod.metadata.labels)
}
