/**
 * The node's part of the pod network: as soon as the node has a range for its pods it writes the CNI
 * configuration and the masquerade rule, and it keeps the routes to the other nodes' pods. What a node says of
 * itself counts only inside the cluster's own ranges.
 */
import { Backoff, Channel, type Env } from "@knarr/base"
import {
  familyOf,
  holds,
  ipv4,
  overlap,
  quoted,
  type IPFamily,
  type LinkName,
  type NameText,
  type NetworkText,
} from "@knarr/apimachinery"
import { node as nodeKind, type Node } from "@knarr/api"
import type { EventRecorder, InformerFactory } from "@knarr/client"
import { isSimulatedNode } from "@knarr/pod-rules"
import { writeCniConfig } from "./cni-config.ts"
import { dnsShareChains, type DnsShares } from "./dns-shares.ts"
import { acceptForwarded } from "./forward-accept.ts"
import type { FailedCommand } from "./host-command.ts"
import { applyMasquerade, masqueradeTable, missingTables } from "./masquerade.ts"
import { ensureForwarding } from "./node-network.ts"
import { planRoutes, syncRoutes, type NodeRoute } from "./routes.ts"

/** Where the cluster's addresses of one family are. */
export interface FamilyRanges {
  readonly family: IPFamily
  /** The cluster's pods (`10.244.0.0/16`): their traffic to each other is never masqueraded. */
  readonly clusterCIDR: NetworkText
  /** The nodes' own addresses (`10.89.0.0/24`): pods reach nodes with their own address. */
  readonly nodeCIDR: NetworkText
}

export interface PodNetworkOptions {
  /** Those of the pods' families, the preferred one first. */
  readonly families: readonly FamilyRanges[]
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
  /** One of each family, in their order; fewer until the node has them. */
  readonly podCIDRs: readonly NetworkText[]
  readonly routes: readonly NodeRoute[]
  readonly refused: readonly RefusedNode[]
}

/**
 * Decides the network of `nodeName` from the nodes there are, family by family. Nodes without range or address get no
 * route; those with one that is not theirs to have get none either, and are named. Of two that overlap the older one counts.
 */
export function planNetwork(
  nodeName: string,
  nodes: readonly Readonly<Node>[],
  families: readonly FamilyRanges[],
): NetworkPlan {
  const plans = families.map((ranges) => planFamily(nodeName, nodes, ranges))
  return {
    podCIDRs: plans.flatMap(({ podCIDR }) => podCIDR ?? []),
    routes: plans.flatMap(({ routes }) => routes),
    refused: plans.flatMap(({ refused }) => refused),
  }
}

function planFamily(
  nodeName: string,
  nodes: readonly Readonly<Node>[],
  { family, clusterCIDR, nodeCIDR }: FamilyRanges,
): { podCIDR: NetworkText | undefined; routes: readonly NodeRoute[]; refused: readonly RefusedNode[] } {
  const routes: NodeRoute[] = []
  const refused: RefusedNode[] = []
  const taken: NetworkText[] = []
  let podCIDR: NetworkText | undefined
  const own = nodes.find(({ metadata }) => metadata.name === nodeName)
  const ownAddress = own && internalIP(own, family)
  const others = nodes.filter((node) => node !== own && !isSimulatedNode(node)).sort(byAge)
  for (const node of own ? [own, ...others] : others) {
    const refuse = (reason: string): void => void refused.push({ node, reason })
    const { spec } = node
    const text = (spec.podCIDRs ?? (spec.podCIDR ? [spec.podCIDR] : [])).find((cidr) => family.owns(cidr))
    if (text === undefined) continue
    const range = family.readNetwork(text)
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
      const address = internalIP(node, family)
      if (address === undefined) continue
      const via = family.readAddress(address)
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

function internalIP({ status }: Readonly<Node>, family: IPFamily): string | undefined {
  return status.addresses?.find(({ type, address }) => type === "InternalIP" && family.owns(address))?.address
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
  const { env, informers, nodeName, families, clusterName, cni } = options
  const table = masqueradeTable(clusterName)
  const clusterCIDRs = families.map(({ clusterCIDR }) => clusterCIDR)
  const ensure = (): Promise<void> =>
    ensureForwarding(
      signal,
      families.map(({ family }) => family),
    )
  await ensure()
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
  const backoff = new Backoff({ firstMs: minBackoffMs, maxMs: maxBackoffMs })
  // A change of another node does not wait for the retry of one that failed.
  let retry: Disposable | undefined
  const retryLater = (): void => {
    retry = env.clock.timer(backoff.next(), changed)
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
        if (await isMissing(table, families, signal)) masqueraded = ""
        else if (masqueraded)
          await acceptForwarded(clusterCIDRs, table, signal).catch(() => signal.throwIfAborted())
      }
      const nodes = informer.list()
      const plan = planNetwork(nodeName, nodes, families)
      const text = JSON.stringify([plan.podCIDRs, plan.routes])
      if (text === applied) {
        complain(plan.refused)
        continue
      }
      try {
        const wanted = plan.podCIDRs.join(" ")
        if (wanted !== "" && wanted !== masqueraded) {
          await masquerade(plan.podCIDRs, options, signal)
          await acceptForwarded(clusterCIDRs, table, signal)
          masqueraded = wanted
          if (writeCniConfig({ ...cni, podCIDRs: plan.podCIDRs }))
            env.log.info("Configured the pod network", { podCIDR: wanted, bridge: cni.bridge })
        }
        const failed = await routeAll(plan.routes, options, signal)
        complain([...plan.refused, ...failedNodes(nodes, plan, failed)])
        if (failed.length > 0) {
          retryLater()
          continue
        }
        applied = text
        backoff.reset()
      } catch (thrown) {
        signal.throwIfAborted()
        env.log.error("Cannot configure the pod network, retrying", thrown)
        retryLater()
      }
    }
  } finally {
    retry?.[Symbol.dispose]()
  }
}

/** Whether somebody removed the table of one of the families, or nobody knows. */
async function isMissing(
  table: NameText,
  families: readonly FamilyRanges[],
  signal: AbortSignal,
): Promise<boolean> {
  const missing = await Promise.all(
    families.map(({ family }) => missingTables(family, [table], signal).catch(() => [table])),
  )
  signal.throwIfAborted()
  return missing.flat().length > 0
}

/** What leaves the cluster carries the node's address; a table for each family of the node's pods. */
async function masquerade(
  podCIDRs: readonly NetworkText[],
  { families, clusterName, dns }: PodNetworkOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const from of podCIDRs) {
    const { clusterCIDR, nodeCIDR } = families.find(({ family }) => family === familyOf(from))!
    const except = [clusterCIDR, nodeCIDR]
    // The node's DNS listens on IPv4.
    const chains = dns && familyOf(from) === ipv4 ? { chains: dnsShareChains(dns) } : {}
    await applyMasquerade({ table: masqueradeTable(clusterName), from, except, ...chains }, signal)
  }
}

/** Makes the routes of each family; answers what the kernel refused. */
async function routeAll(
  routes: readonly NodeRoute[],
  { env, families }: PodNetworkOptions,
  signal: AbortSignal,
): Promise<FailedCommand[]> {
  const refused: FailedCommand[] = []
  for (const { family, clusterCIDR, nodeCIDR } of families) {
    const ours = ({ podCIDR, via }: NodeRoute): boolean => holds(clusterCIDR, podCIDR) || holds(nodeCIDR, via)
    const wanted = routes.filter(({ via }) => familyOf(via) === family)
    const { count, failed } = await syncRoutes(family, wanted, ours, signal)
    if (count > 0) env.log.debug("Changed routes to other nodes", { count })
    refused.push(...failed)
  }
  return refused
}

/** The nodes whose routes the kernel did not take. */
function failedNodes(
  nodes: readonly Readonly<Node>[],
  plan: NetworkPlan,
  failed: readonly FailedCommand[],
): RefusedNode[] {
  return failed.flatMap(({ command, message }) => {
    const route = plan.routes.find((route) => planRoutes([], [route])[0] === command)
    const node = nodes.find(
      ({ metadata, spec }) =>
        route !== undefined &&
        (spec.podCIDRs ?? [spec.podCIDR ?? ""]).some(
          (text) => familyOf(route.via).readNetwork(text) === route.podCIDR,
        ) &&
        !plan.refused.some((r) => r.node.metadata.name === metadata.name),
    )
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
