/**
 * The link between the nodes that share a machine: a bridge per cluster, the host as its first node, and a
 * network namespace for each further one. Everything is idempotent and can be removed.
 */
import { existsSync, readdirSync } from "node:fs"
import {
  addressIn,
  holds,
  ipv4,
  ipv6,
  line,
  linkName,
  nameText,
  spanOf,
  type IPFamily,
  type IPv4Address,
  type IPv4Network,
  type LinkName,
  type NameText,
} from "@knarr/apimachinery"
import { doorChains } from "./doors.ts"
import { acceptForwarded, removeAccepted } from "./forward-accept.ts"
import { ipBatch, runHostCommand, setKernelParameters } from "./host-command.ts"
import { applyMasquerade, masqueradeTable, removeTables } from "./masquerade.ts"
import { readRoutes, syncRoutes } from "./routes.ts"

export interface LocalCluster {
  readonly name: string
  /** Tells the clusters of one machine apart: 0 to 255. */
  readonly index: number
  /** The addresses of the cluster's nodes, one after another: the host has the first. */
  readonly nodeCIDR: IPv4Network
  readonly podCIDR: IPv4Network
  readonly serviceCIDR: IPv4Network
}

type Numbered = Pick<LocalCluster, "index">

/** The bridge that joins the cluster's nodes. */
export function nodeBridge(cluster: Numbered): LinkName {
  return linkName(`knarr-${cluster.index}`)
}

/** The InternalIP of a node: 0 is the host, 1 the first further node. Throws when the range has no room for it. */
export function nodeAddress(cluster: Pick<LocalCluster, "nodeCIDR">, index: number): IPv4Address {
  const room = spanOf(cluster.nodeCIDR).size - 2
  if (!(index >= 0 && index < room))
    throw new RangeError(`Cannot address node ${index}: ${cluster.nodeCIDR} has room for ${room}`)
  return addressIn(cluster.nodeCIDR, index + 1)
}

/** The network namespace of a further node (`index` from 1), as `ip netns` knows it. */
export function nodeNetns(cluster: Numbered, index: number): NameText {
  return nameText(`knarr-${cluster.index}-${index}`)
}

/** The bridge of a node's pods. It is in the node's own network namespace, except for the host's. */
export function podBridge(cluster: Numbered, index: number): LinkName {
  return linkName(`knp-${cluster.index}-${index}`)
}

/** What forwarding between pods, nodes and the world needs, in every node's network namespace. */
const forwarding: Readonly<Record<string, string>> = {
  "net/ipv4/ip_forward": "1",
  // Replies of a translated connection may come another way than its requests went.
  "net/ipv4/conf/all/rp_filter": "0",
  "net/ipv4/conf/default/rp_filter": "0",
  // Two pods on one bridge that talk through a Service: the bridge must show their packets to the translation.
  "net/bridge/bridge-nf-call-iptables": "1",
  "net/bridge/bridge-nf-call-ip6tables": "1",
}

/** Prepares the network namespace that this process is in to forward pods' packets of these families; IPv4 anyhow. */
export async function ensureForwarding(
  signal: AbortSignal,
  families: readonly IPFamily[] = [ipv4],
): Promise<void> {
  if (!existsSync("/proc/sys/net/bridge")) {
    await runHostCommand("modprobe", ["br_netfilter"], { signal }).catch(() => signal.throwIfAborted())
  }
  setKernelParameters(forwarding)
  if (families.includes(ipv6)) setKernelParameters({ "net/ipv6/conf/all/forwarding": "1" })
}

/** The cluster's bridge, with the host on it as its first node. */
export async function ensureNodeNetwork(cluster: LocalCluster, signal: AbortSignal): Promise<void> {
  const bridge = nodeBridge(cluster)
  const { nodeCIDR, podCIDR, serviceCIDR } = cluster
  const { prefixLength } = spanOf(nodeCIDR)
  const commands = existsSync(`/sys/class/net/${bridge}`) ? [] : [line`link add ${bridge} type bridge`]
  commands.push(
    line`address replace ${nodeAddress(cluster, 0)}/${prefixLength} dev ${bridge}`,
    line`link set ${bridge} up`,
  )
  await ipBatch(commands, signal)
  await ensureForwarding(signal)
  setKernelParameters({ [`net/ipv4/conf/${bridge}/rp_filter`]: "0" })
  await acceptForwarded([nodeCIDR], masqueradeTable(cluster.name), signal)
  const chains = doorChains({
    own: [bridge, podBridge(cluster, 0)],
    guarded: [nodeCIDR, podCIDR, serviceCIDR],
  })
  await applyMasquerade({ table: nodesTable(cluster), from: nodeCIDR, except: [nodeCIDR], chains }, signal)
}

/** The nftables table of the nodes' network. */
export function nodesTable(cluster: LocalCluster): NameText {
  return nameText(`${masqueradeTable(cluster.name)}-nodes`)
}

/**
 * A network namespace for a further node (`index` from 1): up, with its address and its way out. Returns the
 * namespace's name and the node's InternalIP.
 */
export async function createNodeNetns(
  options: { readonly cluster: LocalCluster; readonly index: number },
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly address: string }> {
  const { cluster, index } = options
  const name = nodeNetns(cluster, index)
  const address = nodeAddress(cluster, index)
  const link = hostLink(cluster, index)
  await ensureNodeNetwork(cluster, signal)
  if (!existsSync(`/run/netns/${name}`)) await ipBatch([line`netns add ${name}`], signal)
  const commands = existsSync(`/sys/class/net/${link}`)
    ? []
    : [line`link add ${link} type veth peer name eth0 netns ${name}`]
  commands.push(line`link set ${link} master ${nodeBridge(cluster)} up`)
  await ipBatch(commands, signal)
  const inside = [
    line`link set lo up`,
    line`address replace ${address}/${spanOf(cluster.nodeCIDR).prefixLength} dev eth0`,
    line`link set eth0 up`,
    line`route replace default via ${nodeAddress(cluster, 0)} dev eth0`,
  ]
  await ipBatch(inside, signal, { netns: name })
  const settings = Object.entries(forwarding)
    .map(([key, value]) => `[ ! -e /proc/sys/${key} ] || echo ${value} > /proc/sys/${key}`)
    .join("\n")
  await runHostCommand("nsenter", [`--net=/run/netns/${name}`, "sh", "-ec", settings], { signal })
  return { name, address }
}

/** Removes a further node's network namespace, with its link. What runs in it must have ended. Idempotent. */
export async function deleteNodeNetns(
  options: { readonly cluster: Numbered; readonly index: number },
  signal: AbortSignal,
): Promise<void> {
  const name = nodeNetns(options.cluster, options.index)
  if (existsSync(`/run/netns/${name}`)) await ipBatch([line`netns delete ${name}`], signal)
  await deleteLink(hostLink(options.cluster, options.index), signal)
}

/**
 * Removes everything that the cluster has on this machine: namespaces, links, routes and rules, whatever state it
 * was left in. Idempotent.
 */
export async function removeNodeNetwork(cluster: LocalCluster, signal: AbortSignal): Promise<void> {
  const spaces = existsSync("/run/netns") ? readdirSync("/run/netns") : []
  for (const index of [...numbersAfter(`knarr-${cluster.index}-`, spaces), ...strayLinks(cluster)])
    await deleteNodeNetns({ cluster, index }, signal)
  for (const bridge of [podBridge(cluster, 0), nodeBridge(cluster)]) {
    for (const port of bridgePorts(bridge)) await deleteLink(port, signal)
    await deleteLink(bridge, signal)
  }
  // Routes over our links went with them; others can be of a node that had told lies about its address.
  const ours = (await readRoutes(ipv4, signal)).filter(
    ({ podCIDR, via }) => holds(cluster.podCIDR, podCIDR) || holds(cluster.nodeCIDR, via),
  )
  if (ours.length > 0)
    await syncRoutes(ipv4, [], (route) => ours.some(({ podCIDR }) => podCIDR === route.podCIDR), signal)
  const table = masqueradeTable(cluster.name)
  await removeAccepted(table, signal)
  await removeTables(ipv4, [table, nodesTable(cluster)], signal)
}

/** The host's ends of links to further nodes whose namespaces are gone. */
function strayLinks(cluster: LocalCluster): number[] {
  return numbersAfter(`kn-${cluster.index}-`, readdirSync("/sys/class/net"))
}

function numbersAfter(prefix: string, names: readonly string[]): number[] {
  return names
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
}

/** The links on a bridge; of a bridge of pods these are the pods'. */
function bridgePorts(bridge: LinkName): LinkName[] {
  const dir = `/sys/class/net/${bridge}/brif`
  return existsSync(dir) ? readdirSync(dir).map((name) => linkName(name)) : []
}

async function deleteLink(link: LinkName, signal: AbortSignal): Promise<void> {
  if (!existsSync(`/sys/class/net/${link}`)) return
  // The kernel may be removing it at this moment, together with its peer.
  await ipBatch([line`link delete ${link}`], signal).catch((thrown: unknown) => {
    if (existsSync(`/sys/class/net/${link}`)) throw thrown
  })
}

/** The host's end of a further node's link; at most 15 bytes. */
function hostLink(cluster: Numbered, index: number): LinkName {
  return linkName(`kn-${cluster.index}-${index}`)
}
