/**
 * The link between the nodes that share a machine: a bridge per cluster, the host as its first node, and a
 * network namespace for each further one. Everything is idempotent and can be removed.
 */
import { existsSync, readdirSync } from "node:fs"
import { acceptForwarded, removeAccepted } from "./forward-accept.ts"
import { ipBatch, runHostCommand, setKernelParameters } from "./host-command.ts"
import { applyMasquerade, masqueradeTable, removeMasquerade } from "./masquerade.ts"

export interface LocalCluster {
  readonly name: string
  /** Tells the clusters of one machine apart: 0 to 255. */
  readonly index: number
}

/** The bridge that joins the cluster's nodes. */
export function nodeBridge(cluster: LocalCluster): string {
  return `knarr-${cluster.index}`
}

/** The addresses of the cluster's nodes. */
export function nodeCIDR(cluster: LocalCluster): string {
  return `10.89.${cluster.index}.0/24`
}

/** The InternalIP of a node: 0 is the host, 1 the first further node. */
export function nodeAddress(cluster: LocalCluster, index: number): string {
  if (!(index >= 0 && index <= 253))
    throw new RangeError(`Cannot address node ${index}: a bridge has room for 254`)
  return `10.89.${cluster.index}.${index + 1}`
}

/** The network namespace of a further node (`index` from 1), as `ip netns` knows it. */
export function nodeNetns(cluster: LocalCluster, index: number): string {
  return `knarr-${cluster.index}-${index}`
}

/** The bridge of a node's pods. It is in the node's own network namespace, except for the host's. */
export function podBridge(cluster: LocalCluster, index: number): string {
  return `knp-${cluster.index}-${index}`
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

/** Prepares the network namespace that this process is in to forward pods' packets. */
export async function ensureForwarding(signal: AbortSignal): Promise<void> {
  if (!existsSync("/proc/sys/net/bridge")) {
    await runHostCommand("modprobe", ["br_netfilter"], { signal }).catch(() => signal.throwIfAborted())
  }
  setKernelParameters(forwarding)
}

/** The cluster's bridge, with the host on it as its first node. */
export async function ensureNodeNetwork(cluster: LocalCluster, signal: AbortSignal): Promise<void> {
  const bridge = nodeBridge(cluster)
  const commands = existsSync(`/sys/class/net/${bridge}`) ? [] : [`link add ${bridge} type bridge`]
  commands.push(`address replace ${nodeAddress(cluster, 0)}/24 dev ${bridge}`, `link set ${bridge} up`)
  await ipBatch(commands, signal)
  await ensureForwarding(signal)
  setKernelParameters({ [`net/ipv4/conf/${bridge}/rp_filter`]: "0" })
  const table = `${masqueradeTable(cluster.name)}-nodes`
  await acceptForwarded([nodeCIDR(cluster)], masqueradeTable(cluster.name), signal)
  await applyMasquerade({ table, from: nodeCIDR(cluster), except: [nodeCIDR(cluster)] }, signal)
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
  if (!existsSync(`/run/netns/${name}`)) await ipBatch([`netns add ${name}`], signal)
  const commands = existsSync(`/sys/class/net/${link}`)
    ? []
    : [`link add ${link} type veth peer name eth0 netns ${name}`]
  commands.push(`link set ${link} master ${nodeBridge(cluster)} up`)
  await ipBatch(commands, signal)
  const inside = [
    "link set lo up",
    `address replace ${address}/24 dev eth0`,
    "link set eth0 up",
    `route replace default via ${nodeAddress(cluster, 0)} dev eth0`,
  ]
  const input = inside.map((line) => `${line}\n`).join("")
  await runHostCommand("ip", ["-n", name, "-batch", "-"], { signal, input })
  const settings = Object.entries(forwarding)
    .map(([key, value]) => `[ ! -e /proc/sys/${key} ] || echo ${value} > /proc/sys/${key}`)
    .join("\n")
  await runHostCommand("nsenter", [`--net=/run/netns/${name}`, "sh", "-ec", settings], { signal })
  return { name, address }
}

/** Removes a further node's network namespace, with its link. What runs in it must have ended. Idempotent. */
export async function deleteNodeNetns(
  options: { readonly cluster: LocalCluster; readonly index: number },
  signal: AbortSignal,
): Promise<void> {
  const name = nodeNetns(options.cluster, options.index)
  const link = hostLink(options.cluster, options.index)
  if (existsSync(`/run/netns/${name}`)) await ipBatch([`netns delete ${name}`], signal)
  if (existsSync(`/sys/class/net/${link}`)) {
    // The kernel may be removing it at this moment, together with its peer.
    await ipBatch([`link delete ${link}`], signal).catch((thrown: unknown) => {
      if (existsSync(`/sys/class/net/${link}`)) throw thrown
    })
  }
}

/** Removes everything that the cluster has on this machine: namespaces, bridges, routes and rules. Idempotent. */
export async function removeNodeNetwork(cluster: LocalCluster, signal: AbortSignal): Promise<void> {
  const prefix = `knarr-${cluster.index}-`
  const spaces = existsSync("/run/netns") ? readdirSync("/run/netns") : []
  for (const name of spaces) {
    const number = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : Number.NaN
    if (Number.isInteger(number)) await deleteNodeNetns({ cluster, index: number }, signal)
  }
  for (const link of [podBridge(cluster, 0), nodeBridge(cluster)])
    if (existsSync(`/sys/class/net/${link}`)) await ipBatch([`link delete ${link}`], signal)
  const table = masqueradeTable(cluster.name)
  await removeAccepted(table, signal)
  await removeMasquerade([table, `${table}-nodes`], signal)
}

/** The host's end of a further node's link; at most 15 bytes. */
function hostLink(cluster: LocalCluster, index: number): string {
  return `kn-${cluster.index}-${index}`
}
