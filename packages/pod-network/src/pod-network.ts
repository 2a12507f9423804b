/**
 * The node's part of the pod network: as soon as the node has a range for its pods it writes the CNI
 * configuration and the masquerade rule, and it keeps the routes to the other nodes' pods. What a node says of
 * itself counts only inside the cluster's own ranges.
 */
import { Channel, type Env } from "@knarr/base"
import {
  holds,
  overlap,
  quoted,
  readIPv4,
  readIPv4Network,
  type IPv4Network,
  type LinkName,
} from "@knarr/apimachinery"
import { node as nodeKind, type Node } from "@knarr/api"
import type { EventRecorder, InformerFactory } from "@knarr/client"
import { writeCniConfig } from "./cni-config.ts"
import { dnsShareChains, type DnsShares } from "./dns-shares.ts"
import { acceptForwarded } from "./forward-accept.ts"
import type { FailedCommand } from "./host-command.ts"
import { applyMasquerade, masqueradeTable, missingTables } from "./masquerade.ts"
import { ensureForwarding } from "./node-network.ts"
import { planRoutes, syncRoutes, type NodeRoute } from "./routes.ts"

/** Where the cluster's addresses are. */
export interface ClusterRanges {
  /** The cluster's pods (`10.244.0.0/16`): their traffic to each other is never masqueraded. */
  readonly clusterCIDR: IPv4Network
  /** The nodes' own addresses (`10.89.0.0/24`): pods reach nodes with their own address. */
  readonly nodeCIDR: IPv4Network
}

export interface PodNetworkOptions extends ClusterRanges {
  readonly env: Env
  readonly informers: InformerFactory
  /** Says what of a node cannot be used. */
  readonly events: EventRecorder
  readonly nodeName: string
  readonly clusterName: string
  /** The node's DNS, when pods have shares of it. */
  readonly dns?: DnsShares
  readonly cni: {
    readonly dir: string
    readonly bridge: LinkName
    readonly mtu?: number
    readonly ipamDir?: string
    readonly portmap?: boolean
  }
}

/** Something of a node that cannot be used, and why. */
export interface RefusedNode {
  readonly node: Readonly<Node>
  readonly reason: string
}

/** What the network of one node must be. */
export interface NetworkPlan {
  /** Undefined until the node has one. */
  readonly podCIDR: IPv4Network | undefined
  readonly routes: readonly NodeRoute[]
  readonly refused: readonly RefusedNode[]
}

/**
 * Decides the network of `nodeName` from the nodes there are. Nodes without range or address get no route; those
 * with one that is not theirs to have get none either, and are named. Of two that overlap the older one counts.
 */
export function planNetwork(
  nodeName: string,
  nodes: readonly Readonly<Node>[],
  { clusterCIDR, nodeCIDR }: ClusterRanges,
): NetworkPlan {
  const routes: NodeRoute[] = []
  const refused: RefusedNode[] = []
  const taken: IPv4Network[] = []
  let podCIDR: IPv4Network | undefined
  const own = nodes.find(({ metadata }) => metadata.name === nodeName)
  const ownAddress = own && internalIP(own)
  const others = nodes.filter((node) => node !== own).sort(byAge)
  for (const node of own ? [own, ...others] : others) {
    const refuse = (reason: string): void => void refused.push({ node, reason })
    const { spec } = node
    const text = (spec.podCIDRs ?? (spec.podCIDR ? [spec.podCIDR] : [])).find((cidr) => !cidr.includes(":"))
    if (text === undefined) continue
    const range = readIPv4Network(text)
    if (range === undefined || !holds(clusterCIDR, range)) {
      refuse(`its podCIDR ${quoted(text)} is not inside the cluster's ${clusterCIDR}`)
      continue
    }
    const other = taken.find((network) => overlap(network, range))
    if (other !== undefined) {
      refuse(`its podCIDR ${range} overlaps ${other} of another node`)
      continue
    }
    if (node === own) podCIDR = range
    else {
      const address = internalIP(node)
      if (address === undefined) continue
      const via = readIPv4(address)
      if (via === undefined || !holds(nodeCIDR, via)) {
        refuse(`its address ${quoted(address)} is not inside the nodes' ${nodeCIDR}`)
        continue
      }
      if (via === ownAddress) {
        refuse(`its address ${via} is this node's own`)
        continue
      }
      routes.push({ podCIDR: range, via })
    }
    taken.push(range)
  }
  return { podCIDR, routes: routes.sort((a, b) => (a.podCIDR < b.podCIDR ? -1 : 1)), refused }
}

function internalIP({ status }: Readonly<Node>): string | undefined {
  return status.addresses?.find(({ type, address }) => type === "InternalIP" && !address.includes(":"))
    ?.address
}

function byAge(a: Readonly<Node>, b: Readonly<Node>): number {
  const key = ({ metadata }: Readonly<Node>): string => `${metadata.creationTimestamp} ${metadata.name}`
  return key(a) < key(b) ? -1 : 1
}

const minBackoffMs = 100
const maxBackoffMs = 30_000
/** Others may have removed rules and routes; so often it is looked whether they are there. */
const lookAgainMs = 60_000

/** Runs until `signal` is aborted. Routes and rules stay, as the pods do. */
export async function runPodNetwork(options: PodNetworkOptions, signal: AbortSignal): Promise<void> {
  const { env, informers, nodeName, clusterName, clusterCIDR, nodeCIDR, cni, dns } = options
  await ensureForwarding(signal)
  const informer = informers.informer(nodeKind)
  await informer.waitForSync(signal)
  // One place is enough: it says that something changed, and what is read afterwards is the present.
  const wake = new Channel<true>(1)
  const changed = (): void => void wake.push(true)
  using _subscription = informer.subscribe({ added: changed, updated: changed, deleted: changed })
  changed()
  const complain = createComplaints(options)
  let applied = ""
  let masqueraded = ""
  let backoffMs = minBackoffMs
  // A change of another node does not wait for the retry of one that failed.
  let retry: Disposable | undefined
  const retryLater = (): void => {
    retry = env.clock.timer(backoffMs, changed)
    backoffMs = Math.min(backoffMs * 2, maxBackoffMs)
  }
  let lookAgain = false
  try {
    for (;;) {
      using _look = env.clock.timer(lookAgainMs, () => {
        lookAgain = true
        changed()
      })
      await wake.next(signal)
      retry?.[Symbol.dispose]()
      if (lookAgain) {
        lookAgain = false
        applied = ""
        const table = masqueradeTable(clusterName)
        const missing = await missingTables([table], signal).catch(() => [table])
        signal.throwIfAborted()
        if (missing.length > 0) masqueraded = ""
        else if (masqueraded)
          await acceptForwarded([clusterCIDR], table, signal).catch(() => signal.throwIfAborted())
      }
      const nodes = informer.list()
      const plan = planNetwork(nodeName, nodes, { clusterCIDR, nodeCIDR })
      const text = JSON.stringify([plan.podCIDR, plan.routes])
      if (text === applied) {
        complain(plan.refused)
        continue
      }
      try {
        if (plan.podCIDR !== undefined && plan.podCIDR !== masqueraded) {
          const except = [clusterCIDR, nodeCIDR]
          const chains = dns && { chains: dnsShareChains(dns) }
          await applyMasquerade(
            { table: masqueradeTable(clusterName), from: plan.podCIDR, except, ...chains },
            signal,
          )
          await acceptForwarded([clusterCIDR], masqueradeTable(clusterName), signal)
          masqueraded = plan.podCIDR
          if (writeCniConfig({ ...cni, podCIDR: plan.podCIDR }))
            env.log.info("Configured the pod network", { podCIDR: plan.podCIDR, bridge: cni.bridge })
        }
        const ours = ({ podCIDR, via }: NodeRoute): boolean =>
          holds(clusterCIDR, podCIDR) || holds(nodeCIDR, via)
        const { count, failed } = await syncRoutes(plan.routes, ours, signal)
        if (count > 0) env.log.debug("Changed routes to other nodes", { count })
        complain([...plan.refused, ...failedNodes(nodes, plan, failed)])
        if (failed.length > 0) {
          retryLater()
          continue
        }
        applied = text
        backoffMs = minBackoffMs
      } catch (thrown) {
        signal.throwIfAborted()
        env.log.error("Cannot configure the pod network", thrown, { retrySeconds: backoffMs / 1000 })
        retryLater()
      }
    }
  } finally {
    retry?.[Symbol.dispose]()
  }
}

/** The nodes whose routes the kernel did not take. */
function failedNodes(
  nodes: readonly Readonly<Node>[],
  plan: NetworkPlan,
  failed: readonly FailedCommand[],
): RefusedNode[] {
  return failed.flatMap(({ command, message }) => {
    const route = plan.routes.find((route) => planRoutes([], [route])[0] === command)
    const node = nodes.find(({ metadata, spec }) => {
      const range = readIPv4Network(spec.podCIDRs?.[0] ?? spec.podCIDR ?? "")
      return (
        route !== undefined &&
        range === route.podCIDR &&
        !plan.refused.some((r) => r.node.metadata.name === metadata.name)
      )
    })
    return node ? [{ node, reason: `the route to its pods was refused: ${message}` }] : []
  })
}

/** Says what is wrong with a node, once as long as it stays so. */
function createComplaints({
  env,
  events,
}: Pick<PodNetworkOptions, "env" | "events">): (refused: readonly RefusedNode[]) => void {
  let known = new Set<string>()
  return (refused) => {
    const now = new Set<string>()
    for (const { node, reason } of refused) {
      const key = `${node.metadata.uid} ${reason}`
      now.add(key)
      if (known.has(key)) continue
      env.log.warn("A node gets no route to its pods", { node: node.metadata.name, reason })
      const regarding = { apiVersion: nodeKind.apiVersion, kind: nodeKind.kind, metadata: node.metadata }
      events.event(regarding, "Warning", "FailedToCreateRoute", `No route to the node's pods: ${reason}`)
    }
    known = now
  }
}
