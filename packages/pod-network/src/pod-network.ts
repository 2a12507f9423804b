/**
 * The node's part of the pod network: as soon as the node has a range for its pods it writes the CNI
 * configuration and the masquerade rule, and it keeps the routes to the other nodes' pods.
 */
import { Channel, type Env } from "@knarr/base"
import { node as nodeKind, type Node } from "@knarr/api"
import type { InformerFactory } from "@knarr/client"
import { writeCniConfig } from "./cni-config.ts"
import { acceptForwarded } from "./forward-accept.ts"
import { applyMasquerade, masqueradeTable } from "./masquerade.ts"
import { ensureForwarding } from "./node-network.ts"
import { syncRoutes, type NodeRoute } from "./routes.ts"

export interface PodNetworkOptions {
  readonly env: Env
  readonly informers: InformerFactory
  readonly nodeName: string
  readonly clusterName: string
  /** The cluster's pods (`10.244.0.0/16`): their traffic to each other is never masqueraded. */
  readonly clusterCIDR: string
  /** The nodes' own addresses (`10.89.0.0/24`): pods reach nodes with their own address. Default: masqueraded. */
  readonly nodeCIDR?: string
  readonly cni: {
    readonly dir: string
    readonly bridge: string
    readonly mtu?: number
    readonly ipamDir?: string
    readonly portmap?: boolean
  }
}

/** What the network of one node must be. */
export interface NetworkPlan {
  /** Undefined until the node has one. */
  readonly podCIDR: string | undefined
  readonly routes: readonly NodeRoute[]
}

/** Decides the network of `nodeName` from the nodes there are. Nodes without range or address get no route. */
export function planNetwork(nodeName: string, nodes: readonly Readonly<Node>[]): NetworkPlan {
  const routes: NodeRoute[] = []
  let podCIDR: string | undefined
  for (const { metadata, spec, status } of nodes) {
    const range = (spec.podCIDRs ?? (spec.podCIDR ? [spec.podCIDR] : [])).find((cidr) => cidr.includes("."))
    if (range === undefined) continue
    if (metadata.name === nodeName) {
      podCIDR = range
      continue
    }
    const via = status.addresses?.find(
      ({ type, address }) => type === "InternalIP" && address.includes("."),
    )?.address
    if (via !== undefined) routes.push({ podCIDR: range, via })
  }
  return { podCIDR, routes: routes.sort((a, b) => (a.podCIDR < b.podCIDR ? -1 : 1)) }
}

const minBackoffMs = 100
const maxBackoffMs = 30_000

/** Runs until `signal` is aborted. Routes and rules stay, as the pods do. */
export async function runPodNetwork(options: PodNetworkOptions, signal: AbortSignal): Promise<void> {
  const { env, informers, nodeName, clusterName, clusterCIDR, nodeCIDR, cni } = options
  await ensureForwarding(signal)
  const informer = informers.informer(nodeKind)
  await informer.waitForSync(signal)
  // One place is enough: it says that something changed, and what is read afterwards is the present.
  const wake = new Channel<true>(1)
  const changed = (): void => void wake.push(true)
  using _subscription = informer.subscribe({ added: changed, updated: changed, deleted: changed })
  changed()
  let applied = ""
  let masqueraded = ""
  let backoffMs = minBackoffMs
  for (;;) {
    await wake.next(signal)
    const plan = planNetwork(nodeName, informer.list())
    const text = JSON.stringify(plan)
    if (text === applied) continue
    try {
      if (plan.podCIDR !== undefined && plan.podCIDR !== masqueraded) {
        const except = [clusterCIDR, ...(nodeCIDR === undefined ? [] : [nodeCIDR])]
        await applyMasquerade({ table: masqueradeTable(clusterName), from: plan.podCIDR, except }, signal)
        await acceptForwarded([clusterCIDR], masqueradeTable(clusterName), signal)
        masqueraded = plan.podCIDR
        if (writeCniConfig({ ...cni, podCIDR: plan.podCIDR }))
          env.log.info("Configured the pod network", { podCIDR: plan.podCIDR, bridge: cni.bridge })
      }
      const count = await syncRoutes(plan.routes, sameCluster(plan, nodeCIDR), signal)
      if (count > 0) env.log.debug("Changed routes to other nodes", { count })
      applied = text
      backoffMs = minBackoffMs
    } catch (thrown) {
      signal.throwIfAborted()
      env.log.error("Cannot configure the pod network", thrown, { retrySeconds: backoffMs / 1000 })
      await env.clock.sleep(backoffMs, signal)
      backoffMs = Math.min(backoffMs * 2, maxBackoffMs)
      changed()
    }
  }
}

/** Whether a next hop is one of this cluster's nodes, also of those that are gone. */
function sameCluster(plan: NetworkPlan, nodeCIDR: string | undefined): (via: string) => boolean {
  const wanted = new Set(plan.routes.map(({ via }) => via))
  if (nodeCIDR === undefined) return () => true
  return (via) => wanted.has(via) || contains(nodeCIDR, via)
}

function contains(cidr: string, address: string): boolean {
  const number = (text: string): number => text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0)
  const [base, bits] = cidr.split("/") as [string, string]
  const size = 2 ** (32 - Number(bits))
  return Math.floor(number(base) / size) === Math.floor(number(address) / size)
}
