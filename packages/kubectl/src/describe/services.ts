/** `describe service|endpoints|endpointslice`. Mirrors: kubectl pkg/describe/describe.go */
import { at, type Obj } from "../object.ts"
import { labelsText } from "./workloads.ts"
import type { DescribeContext } from "./writer.ts"

export async function describeService(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec, status = {} } = obj as { metadata: Obj; spec: Obj; status?: Obj }
  const slices = await slicesOf(d, obj)
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.row(0, "Selector", labelsText(spec["selector"]))
  w.row(0, "Type", spec["type"])
  if (spec["ipFamilyPolicy"]) w.row(0, "IP Family Policy", spec["ipFamilyPolicy"])
  w.row(0, "IP Families", ((spec["ipFamilies"] ?? []) as string[]).join(",") || "<none>")
  w.row(0, "IP", spec["clusterIP"] ?? "")
  w.row(0, "IPs", ((spec["clusterIPs"] ?? []) as string[]).join(",") || "<none>")
  if (spec["externalIPs"]?.length) w.row(0, "External IPs", (spec["externalIPs"] as string[]).join(","))
  if (spec["loadBalancerIP"]) w.row(0, "Desired LoadBalancer IP", spec["loadBalancerIP"])
  if (spec["externalName"]) w.row(0, "External Name", spec["externalName"])
  const ingress = (at(status, "loadBalancer", "ingress") ?? []) as Obj[]
  if (ingress.length > 0) {
    const text = ingress
      .map((one) =>
        one["ip"] ? `${one["ip"]}${one["ipMode"] ? ` (${one["ipMode"]})` : ""}` : one["hostname"],
      )
      .join(", ")
    w.row(0, "LoadBalancer Ingress", text)
  }
  for (const port of (spec["ports"] ?? []) as Obj[]) {
    const name = port["name"] || "<unset>"
    w.line(0, `Port:\t${name}\t${port["port"]}/${port["protocol"]}`)
    w.line(0, `TargetPort:\t${port["targetPort"]}/${port["protocol"]}`)
    if (port["appProtocol"] !== undefined) w.row(0, "AppProtocol", port["appProtocol"])
    if (port["nodePort"]) w.line(0, `NodePort:\t${name}\t${port["nodePort"]}/${port["protocol"]}`)
    w.row(0, "Endpoints", endpointsText(slices, port["name"] ?? ""))
  }
  w.row(0, "Session Affinity", spec["sessionAffinity"])
  if (spec["externalTrafficPolicy"]) w.row(0, "External Traffic Policy", spec["externalTrafficPolicy"])
  if (spec["internalTrafficPolicy"]) w.row(0, "Internal Traffic Policy", spec["internalTrafficPolicy"])
  if (spec["trafficDistribution"]) w.row(0, "Traffic Distribution", spec["trafficDistribution"])
  if (spec["healthCheckNodePort"]) w.row(0, "HealthCheck NodePort", spec["healthCheckNodePort"])
  if (spec["loadBalancerSourceRanges"]?.length)
    w.row(0, "LoadBalancer Source Ranges", (spec["loadBalancerSourceRanges"] as string[]).join(","))
  await d.events(obj)
}

/** The endpoint slices of a service. */
export async function slicesOf(d: DescribeContext, service: Obj): Promise<Obj[]> {
  const { name, namespace } = service["metadata"] as { name: string; namespace: string }
  const path = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices`
  const list = await d.api.get(path, { labelSelector: `kubernetes.io/service-name=${name}` })
  return (list["items"] ?? []) as Obj[]
}

/** The addresses behind a port, at most three. */
export function endpointsText(slices: readonly Obj[], portName: string): string {
  if (slices.length === 0) return "<none>"
  const found: string[] = []
  for (const slice of slices) {
    const ports = (slice["ports"] ?? []) as Obj[]
    for (const port of ports.length > 0 ? ports : []) {
      if ((port["name"] ?? "") !== portName) continue
      for (const endpoint of (slice["endpoints"] ?? []) as Obj[]) {
        const ready = at(endpoint, "conditions", "ready")
        if (ready !== undefined && ready !== true) continue
        for (const address of endpoint["addresses"] as string[]) {
          const host = address.includes(":") ? `[${address}]` : address
          found.push(port["port"] === undefined ? host : `${host}:${port["port"]}`)
        }
      }
    }
  }
  const shown = found.slice(0, 3).join(",")
  return found.length > 3 ? `${shown} + ${found.length - 3} more...` : shown
}

export async function describeEndpoints(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata } = obj as { metadata: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.line(0, "Subsets:")
  for (const subset of (obj["subsets"] ?? []) as Obj[]) {
    const addresses = (field: string): string =>
      ((subset[field] ?? []) as Obj[]).map((one) => one["ip"] as string).join(",") || "<none>"
    w.row(1, "Addresses", addresses("addresses"))
    w.row(1, "NotReadyAddresses", addresses("notReadyAddresses"))
    const ports = (subset["ports"] ?? []) as Obj[]
    if (ports.length > 0) {
      w.line(1, "Ports:")
      w.line(2, "Name\tPort\tProtocol")
      w.line(2, "----\t----\t--------")
      for (const port of ports)
        w.line(2, `${port["name"] || "<unset>"}\t${port["port"]}\t${port["protocol"]}`)
    }
    w.line(0, "")
  }
  await d.events(obj)
}

export async function describeEndpointSlice(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata } = obj as { metadata: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.row(0, "AddressType", obj["addressType"])
  const ports = (obj["ports"] ?? []) as Obj[]
  if (ports.length === 0) w.line(0, "Ports: <unset>")
  else {
    w.line(0, "Ports:")
    w.line(1, "Name\tPort\tProtocol")
    w.line(1, "----\t----\t--------")
    for (const port of ports)
      w.line(1, `${port["name"] || "<unset>"}\t${port["port"] ?? "<unset>"}\t${port["protocol"]}`)
  }
  const endpoints = (obj["endpoints"] ?? []) as Obj[]
  if (endpoints.length === 0) w.line(0, "Endpoints: <none>")
  else {
    w.line(0, "Endpoints:")
    for (const one of endpoints) {
      w.line(1, `- Addresses:\t${(one["addresses"] as string[]).join(", ")}`)
      w.line(2, "Conditions:")
      w.row(3, "Ready", at(one, "conditions", "ready") ?? "<unset>")
      w.row(2, "Hostname", one["hostname"] ?? "<unset>")
      const target = one["targetRef"] as Obj | undefined
      if (target) w.row(2, "TargetRef", `${target["kind"]}/${target["name"]}`)
      w.row(2, "NodeName", one["nodeName"] ?? "<unset>")
      w.row(2, "Zone", one["zone"] ?? "<unset>")
    }
  }
  await d.events(obj)
}
