/** Ports that pods take on their node. Mirrors: kube-scheduler framework/types.go HostPortInfo */
import type { PodSpec } from "@knarr/api"
import { isSidecar } from "./resources.ts"

export interface HostPortUse {
  readonly ip: string
  readonly protocol: string
  readonly port: number
}

const anyAddress = "0.0.0.0"

/** The host ports of a pod's containers and sidecars. */
export function hostPortsOf(spec: Readonly<PodSpec>): HostPortUse[] {
  const uses: HostPortUse[] = []
  for (const container of [...(spec.initContainers ?? []).filter(isSidecar), ...spec.containers]) {
    for (const port of container.ports ?? []) {
      if (port.hostPort)
        uses.push({ ip: port.hostIP || anyAddress, protocol: port.protocol ?? "TCP", port: port.hostPort })
    }
  }
  return uses
}

/** Whether both cannot be on one node: the same port of a protocol on overlapping addresses. */
export function hostPortsConflict(a: HostPortUse, b: HostPortUse): boolean {
  return (
    a.port === b.port &&
    a.protocol === b.protocol &&
    (a.ip === b.ip || a.ip === anyAddress || b.ip === anyAddress)
  )
}
