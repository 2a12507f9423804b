/** Addresses of the cluster's services that a node answers or routes itself. */
import { line, linkName, type IPv4Address, type IPv4Network } from "@knarr/apimachinery"
import { ipBatch, nodeBridge } from "@knarr/pod-network"
import type { ClusterConfig } from "./cluster-home.ts"
import type { LocalNode } from "./node-names.ts"

/** Puts an address on the loopback interface: what goes to it from the node or its pods is answered here. */
export async function addServiceAddress(address: IPv4Address, signal: AbortSignal): Promise<void> {
  await ipBatch([line`address replace ${address}/32 dev lo`], signal)
}

/** The node's own processes reach services by a route, whether or not the machine has a default one. */
export async function serviceRoute(
  cidr: IPv4Network,
  node: LocalNode,
  config: Pick<ClusterConfig, "index">,
  signal: AbortSignal,
): Promise<void> {
  const device = node.number === 0 ? nodeBridge(config) : linkName("eth0")
  await ipBatch([line`route replace ${cidr} dev ${device} src ${node.address}`], signal)
}

/** Takes the address away again. It is no error when it is not there. */
export async function removeServiceAddress(address: IPv4Address, signal: AbortSignal): Promise<void> {
  await ipBatch([line`address delete ${address}/32 dev lo`], signal).catch(() => signal.throwIfAborted())
}
