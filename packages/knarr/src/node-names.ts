/** The nodes of a cluster on one machine, and how what belongs to them is called. */
import { join } from "node:path"
import { nodeAddress, nodeNetns, type LocalCluster } from "@knarr/pod-network"
import type { IPv4Address } from "@knarr/apimachinery"
import type { ClusterConfig, ClusterHome, ClusterRanges } from "./cluster-home.ts"
import { runDirOf } from "./machine.ts"

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

/** All nodes; none of a control plane alone. */
export function nodesOf(
  config: Pick<ClusterConfig, "index" | "agents" | "hasNode"> & ClusterRanges,
): LocalNode[] {
  return config.hasNode ? [firstNode(config), ...agentNames(config)] : []
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

/** The cgroup in which a node's pods are. */
export function cgroupRoot(config: Pick<ClusterConfig, "index">, node: LocalNode): string {
  return `/knarr-${config.index}-${node.number}`
}

/** Where a node's containerd keeps its files. */
export function nodeContainerd(
  cluster: ClusterHome,
  config: Pick<ClusterConfig, "index">,
  node: string,
): { dir: string; runDir: string } {
  return { dir: join(cluster.node(node), "containerd"), runDir: join(runDirOf(config.index), node) }
}
