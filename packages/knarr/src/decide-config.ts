/**
 * What `up` decides once for a cluster: its number, ranges and ports, beside all other clusters of the machine and
 * what else is on it. One `up` decides at a time.
 */
import { existsSync, readdirSync } from "node:fs"
import type { Clock } from "@knarr/base"
import type { UsedNetwork } from "@knarr/pod-network"
import {
  DamagedClusterError,
  UsageError,
  defaultRanges,
  listClusters,
  type ClusterConfig,
  type ClusterHome,
  type ClusterRanges,
} from "./cluster-home.ts"
import { ClusterNumbers, numbersOfUser } from "./cluster-numbers.ts"
import { chooseRanges, clashesOf, isOfNumber, problemOf, refuseChange } from "./cluster-ranges.ts"
import { freePort, isPortFree } from "./machine.ts"

const firstPort = 6443
const firstRegistryPort = 5000

/** What the flags of `up` ask for. */
export interface Wish {
  readonly ranges: Partial<ClusterRanges>
  readonly port: number | undefined
  readonly agents: number
  readonly hasNode: boolean
}

/** Settings that are decided and not yet written down: until they are, `lock` keeps others from deciding. */
export interface Decision {
  readonly config: ClusterConfig
  readonly lock: Disposable
}

interface Context {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Gets what the user should know. */
  readonly print: (text: string) => void
}

/** The settings of a cluster that does not run. Removes what clusters that are gone left on this machine. */
export async function decideConfig(
  cluster: ClusterHome,
  wish: Wish,
  ctx: Context,
  numbers: ClusterNumbers = numbersOfUser(),
): Promise<Decision> {
  const lock = await numbers.lock(ctx.signal)
  try {
    const before = cluster.read()
    if (before) refuseChange(cluster.name, before, wish.ranges)
    const others = listClusters(cluster.home).flatMap((other) => {
      const config = other.name === cluster.name ? undefined : readUndamaged(other)
      return config ? [config] : []
    })
    const place = wish.hasNode
      ? await findPlace(cluster, before, others, wish, numbers, ctx)
      : { index: before?.index ?? 0, ...(before ? rangesOf(before) : controlPlaneRanges(wish.ranges)) }
    const claims = numbers.claims().filter(({ dir }) => dir !== cluster.dir)
    const taken = new Set([
      ...others.flatMap(({ port, registryPort }) => [port, registryPort]),
      ...claims.flatMap(({ ports }) => ports),
    ])
    const wanted = wish.port ?? before?.port
    if (wanted !== undefined && !(await isPortFree(wanted)))
      throw new UsageError(`port ${wanted} is already in use: choose another one with --port`)
    const port = wanted ?? (await freePort(firstPort + place.index, taken))
    const registryPort =
      before && before.registryPort !== port && (await isPortFree(before.registryPort))
        ? before.registryPort
        : await freePort(firstRegistryPort, new Set([...taken, port]))
    const { agents, hasNode } = wish
    const config: ClusterConfig = { name: cluster.name, ...place, port, registryPort, agents, hasNode }
    if (hasNode) numbers.claim({ ...place, dir: cluster.dir, ports: [port, registryPort] })
    return { config, lock }
  } catch (thrown) {
    lock[Symbol.dispose]()
    throw thrown
  }
}

/** What a damaged cluster has of the machine, its claim tells. */
function readUndamaged(cluster: ClusterHome): ClusterConfig | undefined {
  try {
    return cluster.read()
  } catch (thrown) {
    if (thrown instanceof DamagedClusterError) return undefined
    throw thrown
  }
}

/** A control plane alone has no network on the machine: its ranges need not differ from anybody's. */
function controlPlaneRanges(wanted: Partial<ClusterRanges>): ClusterRanges {
  const ranges = { ...defaultRanges(0), ...wanted }
  const problem = problemOf(ranges, 1)
  if (problem) throw new UsageError(problem)
  return ranges
}

/** The number and the ranges of a cluster with nodes. */
async function findPlace(
  cluster: ClusterHome,
  before: ClusterConfig | undefined,
  others: readonly ClusterConfig[],
  { ranges: wanted, agents }: Wish,
  numbers: ClusterNumbers,
  ctx: Context,
): Promise<ClusterRanges & { readonly index: number }> {
  for (const dead of numbers.deadClaims()) {
    if (dead.dir === cluster.dir && dead.index === before?.index) continue
    await sweep(dead, ctx)
    numbers.release(dead.index, dead.dir)
  }
  const orphaned = before ? undefined : numbers.claims().find(({ dir }) => dir === cluster.dir)
  if (orphaned)
    throw new UsageError(
      `the folder of the cluster "${cluster.name}" is gone, and its processes run still (${numbers.processesOf(orphaned.index, orphaned.dir).join(", ")}): end them first`,
    )
  const { readNetworkFacts, usedNetworks } = await import("@knarr/pod-network")
  const facts = await readNetworkFacts(ctx.signal)
  const onMachine = usedNetworks(facts)
  const { obstaclesOf } = await import("./node/host-watch.ts")
  const warn = (place: ClusterRanges & { readonly index: number }): typeof place => {
    for (const obstacle of obstaclesOf(place, facts)) ctx.print(`warning: ${obstacle}\n`)
    return place
  }
  // Clusters that do not run have nothing on the machine, and keep their ranges all the same.
  const ofClusters = [
    ...numbers
      .claims()
      .filter(({ dir }) => dir !== cluster.dir)
      .flatMap((claim) => claimed(claim, `the cluster in ${claim.dir}`)),
    ...others
      .filter(({ hasNode }) => hasNode)
      .flatMap((config) => claimed(config, `the cluster "${config.name}"`)),
  ]
  const kept = new Set(others.filter(({ hasNode }) => hasNode).map(({ index }) => index))
  const free = numbers.free().filter((index) => !kept.has(index) && !isLeftAlive(index, numbers))
  const usedBeside = (index: number): UsedNetwork[] => [
    ...ofClusters,
    ...onMachine.filter(({ on }) => !isOfNumber(on, index)),
  ]
  if (!before) {
    const candidates = free.values().map((index) => ({ index, used: usedBeside(index) }))
    const chosen = chooseRanges(candidates, wanted, 1 + agents)
    if (hasRemains(chosen.index, onMachine)) await sweep(chosen, ctx)
    return warn(chosen)
  }
  const owner = numbers.ownerOf(before.index)
  const index = owner === undefined || owner.dir === cluster.dir ? before.index : free[0]
  if (index === undefined) throw new UsageError("every number of a cluster on this machine is taken")
  const [problem] = [problemOf(before, 1 + agents), clashesOf(before, ofClusters)[0]?.message].filter(Boolean)
  if (problem) throw new UsageError(`${problem}: delete one of the two, or name ranges for a new one`)
  return warn({ index, ...rangesOf(before) })
}

function rangesOf({ podCIDR, serviceCIDR, nodeCIDR }: ClusterRanges): ClusterRanges {
  return { podCIDR, serviceCIDR, nodeCIDR }
}

function claimed({ podCIDR, serviceCIDR, nodeCIDR }: ClusterRanges, whose: string): UsedNetwork[] {
  return [
    { network: podCIDR, on: "", what: `the pods' ${podCIDR} of ${whose}` },
    { network: serviceCIDR, on: "", what: `the services' ${serviceCIDR} of ${whose}` },
    { network: nodeCIDR, on: "", what: `the nodes' ${nodeCIDR} of ${whose}` },
  ]
}

/** Whether there is something with this number although nobody claims it. */
function hasRemains(index: number, onMachine: readonly UsedNetwork[]): boolean {
  return [...names("/sys/class/net"), ...names("/run/netns"), ...onMachine.map(({ on }) => on)].some((name) =>
    isOfNumber(name, index),
  )
}

/** Remains of which somebody still lives are left alone. */
function isLeftAlive(index: number, numbers: ClusterNumbers): boolean {
  return (
    names("/sys/class/net").some((name) => isOfNumber(name, index)) && numbers.processesOf(index).length > 0
  )
}

async function sweep(
  gone: ClusterRanges & { readonly index: number; readonly dir?: string },
  ctx: Context,
): Promise<void> {
  const { sweepNumber } = await import("./stop-cluster.ts")
  await sweepNumber(gone, ctx)
}

function names(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir) : []
}
