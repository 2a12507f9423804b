/**
 * What the last decisions were made of: nodes that could take the pod, with their scores, and who refused which others.
 * Bounded: see {@link maxPods}, {@link maxNodesOfReason}, {@link maxReasons} and {@link maxBest}.
 */
import type { Pod } from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import type { Clock } from "@knarr/base"
import type { Diagnosis, Placement } from "./cycle.ts"
import type { NodeStatuses, Status } from "./framework/status.ts"

/** Of each the last decision is kept. */
const maxPods = 1000
const maxNodesOfReason = 100
const maxReasons = 50
const maxBest = 10

export interface Refusal {
  /** Undefined for what the framework says in the name of several. */
  readonly plugin: string | undefined
  readonly reason: string
  /** Whether removing pods from the nodes could not help. */
  readonly isUnresolvable: boolean
  readonly count: number
  /** The first of them; none when no node was looked at. */
  readonly nodes: readonly string[]
}

export interface ScoredNode {
  readonly node: string
  readonly total: number
  /** By plugin, weighted; empty when there was nothing to choose. */
  readonly scores: Readonly<Record<string, number>>
}

export interface DecisionRecord {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly schedulerName: string
  /** RFC 3339. */
  readonly time: string
  /** From 1 on. */
  readonly attempt: number
  /** `Placed`: a node was found, which the pod may still lose before it is bound. */
  readonly outcome: "Placed" | "Unschedulable" | "Error"
  readonly node?: string
  /** Where it will go once others have left. */
  readonly nominatedNode?: string
  /** As the pod's condition says. */
  readonly message?: string
  /** All nodes, and how many of them were looked at. */
  readonly nodes: number
  readonly evaluated: number
  readonly feasible: number
  /** Of the feasible ones, the best first. */
  readonly best: readonly ScoredNode[]
  readonly refusals: readonly Refusal[]
}

/** Whose attempt it was. */
export interface AttemptOf {
  readonly pod: Readonly<Pod>
  readonly schedulerName: string
  readonly attempt: number
}

type Details = Omit<DecisionRecord, "namespace" | "name" | "uid" | "schedulerName" | "time" | "attempt">

export class DecisionLog {
  readonly #clock: Pick<Clock, "now">
  /** By UID, the oldest first. */
  readonly #records = new Map<string, DecisionRecord>()

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock
  }

  placed(of: AttemptOf, { node, feasible, scores, statuses, evaluated }: Placement, nodes: number): void {
    const totals = feasible.map((_, i) => scores.reduce((sum, { scores: each }) => sum + each[i]!, 0))
    const best = bestOf(
      totals,
      feasible.findIndex(({ name }) => name === node),
    )
    this.#add(of, {
      ...{ outcome: "Placed", node, nodes, evaluated, feasible: feasible.length },
      best: best.map((i) => ({
        node: feasible[i]!.name,
        total: totals[i]!,
        scores: Object.fromEntries(scores.map(({ plugin, scores: each }) => [plugin, each[i]!])),
      })),
      refusals: refusalsOf(statuses, 0),
    })
  }

  refused(of: AttemptOf, diagnosis: Diagnosis, message: string, nominatedNode: string | undefined): void {
    const { total, statuses, evaluated } = diagnosis
    this.#add(of, {
      ...{ outcome: "Unschedulable", message, nodes: total, evaluated, feasible: 0, best: [] },
      ...(nominatedNode ? { nominatedNode } : {}),
      refusals: refusalsOf(statuses, total - statuses.size),
    })
  }

  failed(of: AttemptOf, message: string): void {
    this.#add(of, { outcome: "Error", message, nodes: 0, evaluated: 0, feasible: 0, best: [], refusals: [] })
  }

  /** The latest first; of one namespace, or of one pod, where these are given. */
  list(namespace?: string, name?: string): readonly DecisionRecord[] {
    return [...this.#records.values()]
      .filter(
        (one) =>
          (namespace === undefined || one.namespace === namespace) &&
          (name === undefined || one.name === name),
      )
      .reverse()
  }

  #add({ pod, schedulerName, attempt }: AttemptOf, details: Details): void {
    const { namespace = "", name, uid } = pod.metadata
    this.#records.delete(uid)
    const time = formatTime(this.#clock.now())
    this.#records.set(uid, { namespace, name, uid, schedulerName, time, attempt, ...details })
    if (this.#records.size > maxPods) this.#records.delete(this.#records.keys().next().value!)
  }
}

/** Places of the highest totals; `chosen`, among equals one by chance, is the first. */
function bestOf(totals: readonly number[], chosen: number): readonly number[] {
  const best: number[] = []
  for (let i = 0; i < totals.length; i++) {
    if (i === chosen || (best.length === maxBest - 1 && totals[i]! <= totals[best.at(-1)!]!)) continue
    let at = best.length
    while (at > 0 && totals[best[at - 1]!]! < totals[i]!) at--
    best.splice(at, 0, i)
    if (best.length === maxBest) best.pop()
  }
  return [chosen, ...best]
}

/** By plugin and reason; `others` nodes share the status of those that were not looked at. */
function refusalsOf(statuses: NodeStatuses, others: number): readonly Refusal[] {
  const found = new Map<string, { -readonly [K in keyof Refusal]: Refusal[K] } & { nodes: string[] }>()
  const count = (status: Status, nodes: number, name?: string): void => {
    for (const reason of status.reasons) {
      const key = `${status.plugin ?? ""}/${reason}`
      let refusal = found.get(key)
      if (!refusal) {
        if (found.size >= maxReasons) continue
        const isUnresolvable = status.code === "UnschedulableAndUnresolvable"
        found.set(key, (refusal = { plugin: status.plugin, reason, isUnresolvable, count: 0, nodes: [] }))
      }
      refusal.count += nodes
      if (name !== undefined && refusal.nodes.length < maxNodesOfReason) refusal.nodes.push(name)
    }
  }
  for (const [name, status] of statuses.explicit()) count(status, 1, name)
  if (others > 0) count(statuses.absent, others)
  return [...found.values()].sort((a, b) => b.count - a.count)
}
