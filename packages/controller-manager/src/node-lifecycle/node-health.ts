/** Is a node alive, and what follows for its conditions and taints. Pure. Mirrors: pkg/controller/nodelifecycle */
import type { Lease, Node, NodeCondition, Taint } from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import { tableOf } from "@knarr/base"

const notReadyTaint = "node.kubernetes.io/not-ready"
const unreachableTaint = "node.kubernetes.io/unreachable"

/** What was last seen of a node, and when by our own clock: the node's is not trusted. */
export interface NodeHealth {
  probeMs: number
  heartbeat: string | undefined
  renewTime: string | undefined
}

/** What is seen of a node now. A sign of life is a new heartbeat in its status or a renewed lease. */
export function observe(
  known: NodeHealth | undefined,
  node: Node,
  lease: Lease | undefined,
  nowMs: number,
): NodeHealth {
  const ready = conditionOf(node, "Ready")
  const heartbeat = ready?.lastHeartbeatTime
  const renewTime = lease?.spec?.renewTime
  if (!known) {
    const created = Date.parse(node.metadata.creationTimestamp)
    return { probeMs: ready || renewTime ? nowMs : created, heartbeat, renewTime }
  }
  const alive = heartbeat !== known.heartbeat || (renewTime !== undefined && renewTime !== known.renewTime)
  return { probeMs: alive ? nowMs : known.probeMs, heartbeat, renewTime: renewTime ?? known.renewTime }
}

export function conditionOf(node: Node, type: string): NodeCondition | undefined {
  return node.status?.conditions?.find((condition) => condition.type === type)
}

export function readyStatus(node: Node): string {
  return conditionOf(node, "Ready")?.status ?? "Unknown"
}

const watched = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"]

/** The conditions of a node that has not been heard of for too long; the same objects where nothing changes. */
export function silentConditions(node: Node, nowMs: number): NodeCondition[] {
  const out = [...(node.status?.conditions ?? [])]
  for (const type of watched) {
    const at = out.findIndex((condition) => condition.type === type)
    const old = out[at]
    if (!old) {
      out.push({
        type,
        status: "Unknown",
        reason: "NodeStatusNeverUpdated",
        message: "Kubelet never posted node status.",
        lastHeartbeatTime: node.metadata.creationTimestamp,
        lastTransitionTime: formatTime(nowMs),
      })
    } else if (old.status !== "Unknown") {
      out[at] = {
        ...old,
        status: "Unknown",
        reason: "NodeStatusUnknown",
        message: "Kubelet stopped posting node status.",
        lastTransitionTime: formatTime(nowMs),
      }
    }
  }
  return out
}

const taintOfCondition: Readonly<Record<string, Readonly<Record<string, string>>>> = tableOf({
  Ready: { False: notReadyTaint, Unknown: unreachableTaint },
  MemoryPressure: { True: "node.kubernetes.io/memory-pressure" },
  DiskPressure: { True: "node.kubernetes.io/disk-pressure" },
  NetworkUnavailable: { True: "node.kubernetes.io/network-unavailable" },
  PIDPressure: { True: "node.kubernetes.io/pid-pressure" },
})
const unschedulableTaint = "node.kubernetes.io/unschedulable"
const managedKeys = new Set([
  unschedulableTaint,
  ...Object.values(taintOfCondition).flatMap((byStatus) => Object.values(byStatus)),
])

export interface TaintWish {
  /** Pods are to be evicted: NoExecute taints may be added. False leaves those that are there. */
  readonly mayEvict: boolean
  /** Nobody is to be evicted: NoExecute taints go. */
  readonly calm: boolean
}

/** The taints that follow from a node's conditions; others are kept. The same array when nothing changes. */
export function taintsFor(node: Node, wish: TaintWish, nowMs: number): readonly Taint[] {
  const present = node.spec?.taints ?? []
  const timeAdded = formatTime(nowMs)
  const wanted = new Map<string, Taint>()
  const want = (taint: Taint): void => {
    wanted.set(`${taint.key}:${taint.effect}`, taint)
  }
  for (const { type, status } of node.status?.conditions ?? []) {
    const key = taintOfCondition[type]?.[status]
    if (key) want({ key, effect: "NoSchedule", timeAdded })
  }
  if (node.spec?.unschedulable) want({ key: unschedulableTaint, effect: "NoSchedule", timeAdded })
  const ready = readyStatus(node)
  const executeKey = ready === "True" ? undefined : ready === "False" ? notReadyTaint : unreachableTaint
  const hasExecute = present.some((taint) => isExecute(taint))
  if (executeKey && !wish.calm && conditionOf(node, "Ready") && (wish.mayEvict || hasExecute)) {
    want({ key: executeKey, effect: "NoExecute", timeAdded })
  }
  const kept = present.filter((taint) => {
    const managed = taint.effect === "NoSchedule" ? managedKeys.has(taint.key) : isExecute(taint)
    return !managed || wanted.delete(`${taint.key}:${taint.effect}`)
  })
  return kept.length === present.length && wanted.size === 0 ? present : [...kept, ...wanted.values()]
}

function isExecute(taint: Taint): boolean {
  return taint.effect === "NoExecute" && (taint.key === notReadyTaint || taint.key === unreachableTaint)
}

/** True when the node wants a NoExecute taint that it does not have. */
export function needsEviction(node: Node): boolean {
  return (
    conditionOf(node, "Ready") !== undefined &&
    readyStatus(node) !== "True" &&
    !(node.spec?.taints ?? []).some(isExecute)
  )
}

export type ZoneState = "Normal" | "PartialDisruption" | "FullDisruption"

/** The zone of a node, as upstream keys it. */
export function zoneOf(node: Node): string {
  const labels = node.metadata.labels ?? {}
  const region =
    labels["topology.kubernetes.io/region"] ?? labels["failure-domain.beta.kubernetes.io/region"] ?? ""
  const zone = labels["topology.kubernetes.io/zone"] ?? labels["failure-domain.beta.kubernetes.io/zone"] ?? ""
  return region === "" && zone === "" ? "" : `${region}:\u0000:${zone}`
}

export interface Zone {
  readonly state: ZoneState
  readonly size: number
}

/** How each zone is: partly disrupted when more than two and at least 55% of its nodes are not ready. */
export function zonesOf(nodes: readonly Node[]): Map<string, Zone> {
  const counts = new Map<string, { ready: number; notReady: number }>()
  for (const node of nodes) {
    const zone = zoneOf(node)
    let count = counts.get(zone)
    if (!count) counts.set(zone, (count = { ready: 0, notReady: 0 }))
    if (readyStatus(node) === "True") count.ready++
    else count.notReady++
  }
  const out = new Map<string, Zone>()
  for (const [zone, { ready, notReady }] of counts) {
    const size = ready + notReady
    const state =
      ready === 0 && notReady > 0
        ? "FullDisruption"
        : notReady > 2 && notReady / size >= 0.55
          ? "PartialDisruption"
          : "Normal"
    out.set(zone, { state, size })
  }
  return out
}

/** Evictions per second in a zone; 0 stops them. */
export function evictionRate(
  zone: Zone | undefined,
  zones: ReadonlyMap<string, Zone>,
  rates: EvictionRates,
): number {
  if (!zone || [...zones.values()].every(({ state }) => state === "FullDisruption")) return 0
  if (zone.state !== "PartialDisruption") return rates.perSecond
  return zone.size > rates.largeClusterSize ? rates.secondaryPerSecond : 0
}

export interface EvictionRates {
  readonly perSecond: number
  readonly secondaryPerSecond: number
  readonly largeClusterSize: number
}
