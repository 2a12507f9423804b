/** The nodes of a cluster on one machine. */
import { nodeAddress, nodeNetns, type LocalCluster } from "@knarr/pod-network"
import type { IPv4Address } from "@knarr/apimachinery"
import type { ClusterConfig, ClusterRanges } from "./cluster-home.ts"

/** What names the cluster's network on this machine: its number, since clusters of two homes may share a name. */
export function networkOf(config: Pick<ClusterConfig, "index"> & ClusterRanges): LocalCluster {
  const { index, podCIDR, serviceCIDR, nodeCIDR } = config
  return { name: String(index), index, podCIDR, serviceCIDR, nodeCIDR }
}

export interface LocalNode {
  readonly node: string
  /** 0 for the first node, which is the machine itself. */
  readonly number: number
  readonly address: IPv4Address
  /** The network namespace; "" for the machine's own. */
  readonly netns: string
}

export function firstNode(config: Pick<ClusterConfig, "index"> & ClusterRanges): LocalNode {
  return { node: "node-0", number: 0, address: nodeAddress(networkOf(config), 0), netns: "" }
}

/** The further nodes. */
export function agentNames(config: Pick<ClusterConfig, "index" | "agents"> & ClusterRanges): LocalNode[] {
  return Array.from({ length: config.agents }, (_, i) => ({
    node: `node-${i + 1}`,
    number: i + 1,
    address: nodeAddress(networkOf(config), i + 1),
    netns: nodeNetns(networkOf(config), i + 1),
  }))
}
