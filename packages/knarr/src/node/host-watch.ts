/**
 * Looks after what the cluster needs of the machine and others may take away: rules that let it through firewalls, its
 * doors, kernel parameters. What stands in the way is said: by `up`, by `status`, and as events of the node.
 */
import { node as nodeKind } from "@knarr/api"
import { ipv4, readPort } from "@knarr/apimachinery"
import type { Env } from "@knarr/base"
import type { EventRecorder } from "@knarr/client"
import {
  acceptAtDoors,
  acceptForwarded,
  ensureForwarding,
  ensureNodeNetwork,
  findObstacles,
  masqueradeTable,
  missingTables,
  nodesTable,
  parameterObstacles,
  readNetworkFacts,
  usedNetworks,
  type Doors,
  type NetworkFacts,
  type UsedNetwork,
} from "@knarr/pod-network"
import { addressesOf, type ClusterConfig, type ClusterRanges } from "../cluster-home.ts"
import { clashesOf, isOfNumber } from "../cluster-ranges.ts"
import { networkOf, type LocalNode } from "../node-names.ts"
import { kubeletPort } from "./proxy-settings.ts"

const lookAgainMs = 60_000

type Numbered = Pick<ClusterConfig, "index"> & ClusterRanges

/** What of the machine stands in the cluster's way: a sentence each. */
export function obstaclesOf(config: Numbered, facts: NetworkFacts): string[] {
  const { index, podCIDR, nodeCIDR } = config
  const isOwn = (name: string): boolean => isOfNumber(name, index)
  // Other clusters' ranges are not this one's: `up` has seen to that.
  const used = usedNetworks(facts).filter(({ on }) => !/^(?:lo:)?(?:knarr|knp|kn)-\d/.test(on))
  return [...clashWarnings(config, used), ...findObstacles(facts, { networks: [podCIDR, nodeCIDR], isOwn })]
}

/** What else on the machine uses the cluster's ranges. */
export function clashWarnings(ranges: ClusterRanges, used: readonly UsedNetwork[]): string[] {
  return clashesOf(ranges, used).map(
    ({ message }) => `${message}: one of the two cannot be reached from this machine`,
  )
}

/** As {@link obstaclesOf}, of a cluster that runs: read anew, with kernel parameters. */
export async function readObstacles(config: Numbered, signal: AbortSignal): Promise<string[]> {
  return [...obstaclesOf(config, await readNetworkFacts(signal)), ...parameterObstacles()]
}

/** As {@link readObstacles}, in a further node's network namespace: all networks there are the cluster's. */
async function readObstaclesInside(config: Numbered, signal: AbortSignal): Promise<string[]> {
  const { ruleset } = await readNetworkFacts(signal)
  const own = {
    networks: [config.podCIDR, config.nodeCIDR],
    isOwn: (name: string) => isOfNumber(name, config.index),
  }
  return [...findObstacles({ ruleset }, own), ...parameterObstacles()]
}

/** Lets pods and nodes in at the machine's doors where iptables drops what comes in. Idempotent. */
export async function openDoors(config: ClusterConfig, signal: AbortSignal): Promise<void> {
  const { podCIDR, nodeCIDR, hostAddress, dnsAddress } = addressesOf(config)
  const from = [podCIDR, nodeCIDR]
  const tcp = [config.port, config.registryPort, kubeletPort].flatMap((port) => readPort(port) ?? [])
  const dns = [readPort(53)!]
  const doors: Doors[] = [
    { from, address: hostAddress, tcp, udp: [] },
    { from, address: dnsAddress, tcp: dns, udp: dns },
  ]
  await acceptAtDoors(doors, masqueradeTable(networkOf(config).name), signal)
}

export interface HostWatchOptions {
  readonly env: Env
  readonly config: ClusterConfig
  readonly node: LocalNode
  readonly events: EventRecorder
}

/** Runs until `signal` is aborted: mends what others took away, and says once as long as it stays what it cannot. */
export async function watchHost(options: HostWatchOptions, signal: AbortSignal): Promise<void> {
  const { env, node, events } = options
  const regarding = {
    apiVersion: nodeKind.apiVersion,
    kind: nodeKind.kind,
    metadata: { name: node.node, uid: node.node },
  }
  let known = new Set<string>()
  for (;;) {
    const found = await look(options, signal)
    for (const obstacle of found) {
      if (known.has(obstacle)) continue
      env.log.warn("Something on this machine stands in the cluster's way", { obstacle })
      events.event(regarding, "Warning", "NetworkObstructed", obstacle)
    }
    known = new Set(found)
    await env.clock.sleep(lookAgainMs, signal)
  }
}

async function look({ env, config, node }: HostWatchOptions, signal: AbortSignal): Promise<string[]> {
  try {
    await ensureForwarding(signal)
    if (node.number === 0) {
      const network = networkOf(config)
      const table = nodesTable(network)
      if ((await missingTables(ipv4, [table], signal)).length > 0) {
        env.log.warn("Somebody removed the table of the cluster's doors: it is made again", { table })
        await ensureNodeNetwork(network, signal)
      }
      await acceptForwarded([network.nodeCIDR], masqueradeTable(network.name), signal)
      await openDoors(config, signal)
    }
    return await (node.number === 0 ? readObstacles : readObstaclesInside)(config, signal)
  } catch (thrown) {
    signal.throwIfAborted()
    env.log.error("Cannot look after the machine's network", thrown)
    return []
  }
}
