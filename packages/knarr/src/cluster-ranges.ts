/**
 * Which addresses a cluster gets: those that its flags name, and for the others the first that nothing on the machine
 * uses. Pure.
 */
import { overlap, parseCIDR, quoted, readIPv4Network, spanOf, type IPv4Network } from "@knarr/apimachinery"
import type { UsedNetwork } from "@knarr/pod-network"
import { UsageError, defaultRanges, type ClusterRanges } from "./cluster-home.ts"

/** Clusters with nodes on one machine at most. */
export const maxClusters = 100
/** A node's pods have a network of this length, as kube-controller-manager gives them. */
const nodeMaskLength = 24

type Range = keyof ClusterRanges

/** The flags of `up`, named as k3s and kube-controller-manager name them. */
export const rangeFlags = {
  "cluster-cidr": { type: "string", value: "PODS", help: "The network of pods. Default: one that is free." },
  "service-cidr": {
    type: "string",
    value: "SERVICES",
    help: "The network of services. Default: one that is free.",
  },
  "node-cidr": { type: "string", value: "NODES", help: "The network of nodes. Default: one that is free." },
} as const

const ranges: readonly {
  readonly range: Range
  readonly flag: keyof typeof rangeFlags
  readonly what: string
  /** Prefix lengths: of the largest and of the smallest network. */
  readonly longest: number
  readonly shortest: number
}[] = [
  { range: "podCIDR", flag: "cluster-cidr", what: "pods", shortest: 8, longest: nodeMaskLength },
  // The API server takes no more than 20 bits of addresses; DNS is the tenth.
  { range: "serviceCIDR", flag: "service-cidr", what: "services", shortest: 12, longest: 28 },
  { range: "nodeCIDR", flag: "node-cidr", what: "nodes", shortest: 8, longest: 29 },
]

/** No host's: this one, loopback, link-local, multicast and above. */
const unusable = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"].map((text) =>
  readIPv4Network(text)!,
)

type Flags = Readonly<Record<string, string | boolean | undefined>>

/** The networks that the flags name. Throws a UsageError for what is none, or none that can be a cluster's. */
export function readRangeFlags(flags: Flags): Partial<ClusterRanges> {
  const found: Partial<Record<Range, IPv4Network>> = {}
  for (const { range, flag, shortest, longest } of ranges) {
    const text = flags[flag]
    if (typeof text === "string") found[range] = readRange(flag, text, shortest, longest)
  }
  return found
}

function readRange(flag: string, text: string, shortest: number, longest: number): IPv4Network {
  const refuse = (reason: string): never => {
    throw new UsageError(`invalid argument ${quoted(text)} for "--${flag}": ${reason}`)
  }
  const network = readIPv4Network(text)
  if (network === undefined)
    return refuse(
      text.includes(",")
        ? "must be one network: clusters have one family of addresses"
        : parseCIDR(text)
          ? "must be an IPv4 network"
          : "must be an IPv4 network, such as 10.20.0.0/16",
    )
  if (network !== text) refuse(`must be a network's first address and its length; did you mean ${network}?`)
  const { prefixLength } = spanOf(network)
  if (prefixLength > longest) refuse(`is too small: the length must be ${longest} at most`)
  if (prefixLength < shortest) refuse(`is too large: the length must be ${shortest} at least`)
  const bad = unusable.find((other) => overlap(other, network))
  if (bad !== undefined) refuse(`overlaps ${bad}, which no network may have`)
  return network
}

/** Why these cannot be the ranges of a cluster with so many nodes; undefined when they can. */
export function problemOf(wanted: ClusterRanges, nodes: number): string | undefined {
  for (const [i, { range, flag, what }] of ranges.entries())
    for (const other of ranges.slice(i + 1))
      if (overlap(wanted[range], wanted[other.range]))
        return `the ${what}' ${wanted[range]} (--${flag}) and the ${other.what}' ${wanted[other.range]} (--${other.flag}) overlap`
  const pods = 2 ** (nodeMaskLength - spanOf(wanted.podCIDR).prefixLength)
  if (nodes > pods)
    return `the pods' ${wanted.podCIDR} (--cluster-cidr) is too small: it has room for ${pods} of ${nodes} nodes (a /${nodeMaskLength} each)`
  const addresses = spanOf(wanted.nodeCIDR).size - 2
  if (nodes > addresses)
    return `the nodes' ${wanted.nodeCIDR} (--node-cidr) is too small: it has room for ${addresses} of ${nodes} nodes`
  return undefined
}

/** What of the machine is in the way of each range, for people. */
export function clashesOf(
  wanted: Partial<ClusterRanges>,
  used: readonly UsedNetwork[],
): { readonly flag: string; readonly message: string }[] {
  return ranges.flatMap(({ range, flag, what }) => {
    const network = wanted[range]
    const other = network && used.find((candidate) => overlap(candidate.network, network))
    if (!other) return []
    return { flag, message: `the ${what}' ${network} (--${flag}) overlaps ${other.what}` }
  })
}

/** A number that a cluster can have, and what else is on the machine for it. */
export interface FreeNumber {
  readonly index: number
  /** Networks that others than this number's own remains use. */
  readonly used: readonly UsedNetwork[]
}

/**
 * The first of `free` whose ranges (those that are wanted, by default the number's own) nobody uses. Throws a
 * UsageError that says what is in the way.
 */
export function chooseRanges(
  free: Iterable<FreeNumber>,
  wanted: Partial<ClusterRanges>,
  nodes: number,
): ClusterRanges & { readonly index: number } {
  let first: FreeNumber | undefined
  let obstacle: string | undefined
  for (const candidate of free) {
    first ??= candidate
    const [clash] = clashesOf(wanted, candidate.used)
    if (clash) throw new UsageError(`${clash.message}: choose another range`)
    const decided = { ...defaultRanges(candidate.index), ...wanted }
    const reason = problemOf(decided, nodes) ?? clashesOf(decided, candidate.used)[0]?.message
    if (reason === undefined) return { index: candidate.index, ...decided }
    obstacle ??= reason
  }
  if (!first) throw new UsageError(`there are ${maxClusters} clusters on this machine already`)
  // Somebody has all of 10.0.0.0/8.
  for (let i = 16; i < 32; i++) {
    const decided = { ...furtherRanges(i), ...wanted }
    if (problemOf(decided, nodes) === undefined && clashesOf(decided, first.used).length === 0)
      return { index: first.index, ...decided }
  }
  throw new UsageError(
    `${obstacle!}; name ranges that nothing on this machine uses with --cluster-cidr, --service-cidr and --node-cidr`,
  )
}

function furtherRanges(second: number): ClusterRanges {
  return {
    podCIDR: readIPv4Network(`172.${second}.0.0/17`)!,
    serviceCIDR: readIPv4Network(`172.${second}.128.0/18`)!,
    nodeCIDR: readIPv4Network(`172.${second}.192.0/24`)!,
  }
}

/** Throws a UsageError when a cluster that is there would get other ranges than it has. */
export function refuseChange(name: string, before: ClusterRanges, wanted: Partial<ClusterRanges>): void {
  for (const { range, flag, what } of ranges)
    if (wanted[range] !== undefined && wanted[range] !== before[range])
      throw new UsageError(
        `the cluster "${name}" has ${before[range]} for its ${what}, and --${flag} cannot change it: delete the cluster first`,
      )
}

/** Whether a name of the machine (a link, an address' label, an nftables table) is of the cluster with this number. */
export function isOfNumber(name: string, index: number): boolean {
  const match = /^(?:lo:)?(?:knarr|knp|kn)-(\d+)(?:$|-)/.exec(name)
  return match !== null && Number(match[1]) === index
}
