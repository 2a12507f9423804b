/** Ends a cluster's processes and takes its network apart. */
import type { Env } from "@knarr/base"
import { createLinuxMachine, stopContainerd } from "@knarr/kubelet"
import { removeNodeNetwork } from "@knarr/pod-network"
import { removeServiceProxy } from "@knarr/proxy"
import { createLinuxVolumeHost } from "@knarr/volume"
import { cgroupRoot, nodeContainerd } from "./agent.ts"
import { addressesOf, type ClusterConfig, type ClusterHome } from "./cluster-home.ts"
import { removeServiceAddress } from "./node-addresses.ts"
import { agentNames, firstNode, networkOf, type LocalNode } from "./node-names.ts"
import { proxyTable } from "./node-proxy.ts"
import { stopProcess } from "./process-control.ts"

const stopGraceMs = 15_000

type Context = Env & { readonly signal: AbortSignal }

/** Stops servers, agents, containers and runtimes. True when something was running. */
export async function stopCluster(
  cluster: ClusterHome,
  config: ClusterConfig,
  ctx: Context,
  options: { readonly keepState: boolean },
): Promise<boolean> {
  const nodes = config.hasNode ? [firstNode(config), ...agentNames(config)] : []
  const processes = ["server", ...agentNames(config).map(({ node }) => node)]
  const stopped = await Promise.all(
    processes.map((name) => stopProcess(cluster.pidFile(name), ctx.clock, ctx.signal, stopGraceMs)),
  )
  await Promise.all(
    nodes.map(({ node }) =>
      stopContainerd({ ...nodeContainerd(cluster, config, node), ...options, env: ctx }, ctx.signal),
    ),
  )
  return stopped.includes(true)
}

/** Removes bridges, namespaces, routes and rules. */
export async function removeClusterNetwork(config: ClusterConfig, ctx: Context): Promise<void> {
  await removeServiceProxy(proxyTable(config), ctx.signal)
  await removeServiceAddress(addressesOf(config).dnsAddress, ctx.signal)
  await removeNodeNetwork(networkOf(config), ctx.signal)
}

/** Removes what the nodes' pods left: volumes that are mounted still, files and cgroups. */
export async function removeNodes(cluster: ClusterHome, config: ClusterConfig, ctx: Context): Promise<void> {
  const volumes = createLinuxVolumeHost({ clock: ctx.clock })
  for (const node of nodesOf(config)) {
    const rootDir = cluster.node(node.node)
    await volumes.removeTree(rootDir, ctx.signal)
    await createLinuxMachine({ clock: ctx.clock, rootDir }).pods.removeCgroup(cgroupRoot(config, node))
  }
}

function nodesOf(config: ClusterConfig): LocalNode[] {
  return config.hasNode ? [firstNode(config), ...agentNames(config)] : []
}
