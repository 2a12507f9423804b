/** Addresses of the cluster's services that a node answers or routes itself. */
import { line, linkName, type IPv4Address, type IPv4Network } from "@knarr/apimachinery"
import { ipBatch, nodeBridge } from "@knarr/pod-network"
import type { ClusterConfig } from "../cluster-home.ts"
import type { LocalNode } from "../node-names.ts"

/**
 * Puts an address on the loopback interface: what goes to it from the node or its pods is answered here. Its label
 * says whose it is.
 */
export async function addServiceAddress(
  address: IPv4Address,
  { index }: Pick<ClusterConfig, "index">,
  signal: AbortSignal,
): Promise<void> {
  await ipBatch([line`address replace ${address}/32 dev lo label lo:knarr-${index}`], signal)
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

/** Takes the cluster's addresses away again. It is no error when there are none. */
export async function removeServiceAddresses(
  { index }: Pick<ClusterConfig, "index">,
  signal: AbortSignal,
): Promise<void> {
  await ipBatch([line`address flush dev lo label lo:knarr-${index}`], signal, { carryOn: true })
}
