/** The host ports of a pod. Pure. Mirrors: the CNI plugin portmap, per pod and family */
import {
  quoted,
  readAddress,
  readPort,
  readProtocol,
  type AddressText,
  type IPFamily,
  type NetworkText,
  type PortNumber,
  type TransportProtocol,
} from "@knarr/apimachinery"
import type { Pod } from "@knarr/api"
import { barredBy, type Target } from "./endpoints.ts"
import type { Owner } from "./owner.ts"

export interface HostPort {
  readonly owner: Owner
  readonly protocol: TransportProtocol
  /** Undefined for every address of the node. */
  readonly hostIP: AddressText | undefined
  readonly hostPort: PortNumber
  readonly target: Target
}

/** Those of one family; what is no address or port is told to `refuse`. */
export function hostPortsOf(
  pod: Pod,
  owner: Owner,
  { family, foreign }: { readonly family: IPFamily; readonly foreign: readonly NetworkText[] },
  refuse: (reason: string) => void,
): HostPort[] {
  const { spec, status } = pod
  if (spec.hostNetwork || !status.podIP || status.phase === "Succeeded" || status.phase === "Failed")
    return []
  const sidecars = (spec.initContainers ?? []).filter((container) => container.restartPolicy === "Always")
  const wanted = [...sidecars, ...spec.containers]
    .flatMap((container) => container.ports ?? [])
    .filter((port) => port.hostPort)
  if (wanted.length === 0) return []
  const podIP = (status.podIPs ?? []).map(({ ip }) => ip).find((ip) => family.owns(ip)) ?? status.podIP
  const address = family.readAddress(podIP)
  if (address === undefined) {
    if (readAddress(podIP) === undefined) refuse(`its address ${quoted(podIP)} is none`)
    return []
  }
  const barred = barredBy(address, foreign)
  if (barred !== undefined) {
    refuse(`its address ${address} belongs to ${barred}, where no pod may be`)
    return []
  }
  const found: HostPort[] = []
  for (const port of wanted) {
    const hostPort = readPort(port.hostPort)
    const containerPort = readPort(port.containerPort)
    const protocol = readProtocol(port.protocol)
    if (hostPort === undefined || containerPort === undefined || protocol === undefined) {
      refuse(
        `its host port ${port.hostPort} (to ${port.containerPort}, ${quoted(port.protocol ?? "TCP")}) is none`,
      )
      continue
    }
    const text = port.hostIP ?? ""
    const hostIP = text === "" ? undefined : readAddress(text)
    if (text !== "" && hostIP === undefined) {
      refuse(`the hostIP ${quoted(text)} of its host port ${hostPort} is no address`)
      continue
    }
    // The other family is somebody else's.
    if (hostIP !== undefined && !family.owns(hostIP)) continue
    found.push({
      owner,
      protocol,
      hostIP: hostIP === "0.0.0.0" || hostIP === "::" ? undefined : hostIP,
      hostPort,
      target: { address, port: containerPort },
    })
  }
  return found
}
