/** One scheduling decision: a pod and a snapshot in, a node or the reasons out. Pure but for the tie-break. */
import type { Pod } from "@knarr/api"
import { randomInt, type Random } from "@knarr/base"
import type { NodeInfo } from "./cache/node-info.ts"
import type { CycleState } from "./framework/cycle-state.ts"
import type { PluginScores } from "./framework/plugin.ts"
import type { Profile } from "./framework/profile.ts"
import { NodeStatuses, unresolvable, type Status } from "./framework/status.ts"

/** Where the pod goes, and why there: what each plugin gave to each of the feasible nodes. */
export interface Placement {
  readonly node: string
  readonly feasible: readonly NodeInfo[]
  /** None when only one node was feasible. */
  readonly scores: readonly PluginScores[]
  /** Why others of those that were looked at cannot take it. */
  readonly statuses: NodeStatuses
  /** How many nodes were looked at. */
  readonly evaluated: number
}

/** Why the pod goes nowhere. Mirrors: framework/types.go Diagnosis, FitError */
export interface Diagnosis {
  /** Of all nodes. */
  readonly total: number
  readonly statuses: NodeStatuses
  /** Said before any node was looked at. */
  readonly preFilterMessage?: string
  /** Plugins that refused; those that ask to wait for something outside. */
  readonly unschedulablePlugins: ReadonlySet<string>
  readonly pendingPlugins: ReadonlySet<string>
  readonly evaluated: number
}

export type Decision = Placement | Diagnosis

/** The nodes that can take the pod, as far as they were looked at. */
export interface Search {
  readonly feasible: readonly NodeInfo[]
  readonly statuses: NodeStatuses
  /** Plugins that left only some nodes. */
  readonly by: ReadonlySet<string>
  /** It is the one node that an earlier attempt made room on. */
  readonly isNominated: boolean
}

/** The whole decision, where nobody but plugins is asked. Throws a PluginError. */
export function decide(
  profile: Profile,
  state: CycleState,
  pod: Readonly<Pod>,
  random: Random,
  startAt: number,
): Decision {
  const search = searchNodes(profile, state, pod, startAt)
  if (!("feasible" in search)) return search
  if (search.feasible.length === 0) return refused(state, search)
  return place(profile, state, pod, search, [], random)
}

/**
 * `startAt` is where the search through the nodes begins, so that not always the same ones are looked at when there
 * are many; `isNominationTried` leaves out the one that the pod is nominated for. Throws a PluginError. Mirrors: pkg/scheduler/schedule_one.go
 */
export function searchNodes(
  profile: Profile,
  state: CycleState,
  pod: Readonly<Pod>,
  startAt: number,
  isNominationTried = false,
): Search | Diagnosis {
  const { snapshot } = state
  const total = snapshot.nodes.length
  const statuses = new NodeStatuses()
  if (total === 0) {
    const unschedulablePlugins = new Set(profile.plugins.map(({ name }) => name))
    return { total, statuses, unschedulablePlugins, pendingPlugins: new Set(), evaluated: 0 }
  }
  const { refusal, nodeNames, by } = profile.preFilter(state, pod)
  if (refusal) {
    statuses.absent = refusal
    return {
      ...diagnose(total, statuses, [refusal], by),
      preFilterMessage: refusal.message,
    }
  }
  const all = (): Search => ({
    feasible: findFeasible(profile, state, pod, startAt, statuses, nodeNames, by),
    statuses,
    by,
    isNominated: false,
  })
  return profile.timeFilters(() => {
    const nominated = isNominationTried ? undefined : findNominated(profile, state, pod)
    return nominated ? { feasible: nominated, statuses, by, isNominated: true } : all()
  })
}

/** Why nobody takes the pod, when no node of the search is left. */
export function refused(state: CycleState, { statuses, by }: Search): Diagnosis {
  const refusals = [...statuses.explicit()].map(([, status]) => status)
  return diagnose(state.snapshot.nodes.length, statuses, refusals, by)
}

/** The best of the nodes that are left of the search; `others` scores them beside the plugins. */
export function place(
  profile: Profile,
  state: CycleState,
  pod: Readonly<Pod>,
  { feasible, statuses }: Search,
  others: readonly PluginScores[],
  random: Random,
): Placement {
  const evaluated = feasible.length + statuses.size
  if (feasible.length === 1) return { node: feasible[0]!.name, feasible, scores: [], statuses, evaluated }
  const scores = [...(profile.hasScore ? profile.score(state, pod, feasible) : []), ...others]
  return { node: best(feasible, scores, random).name, feasible, scores, statuses, evaluated }
}

/** The node that an earlier attempt made room on is tried first. */
function findNominated(
  profile: Profile,
  state: CycleState,
  pod: Readonly<Pod>,
): readonly NodeInfo[] | undefined {
  const { nominatedNodeName } = pod.status
  const node = nominatedNodeName ? state.snapshot.get(nominatedNodeName) : undefined
  return node && !profile.filterWithNominatedPods(state, pod, node) ? [node] : undefined
}

function findFeasible(
  profile: Profile,
  state: CycleState,
  pod: Readonly<Pod>,
  startAt: number,
  statuses: NodeStatuses,
  nodeNames: ReadonlySet<string> | undefined,
  by: ReadonlySet<string>,
): readonly NodeInfo[] {
  const { snapshot } = state
  let candidates = snapshot.nodes
  if (nodeNames) {
    candidates = [...nodeNames].flatMap((name) => snapshot.get(name) ?? [])
    statuses.absent = unresolvable(`node(s) didn't satisfy plugin(s) [${[...by].sort().join(" ")}]`)
  }
  const wanted = profile.nodesToFind(candidates.length)
  const feasible: NodeInfo[] = []
  for (let i = 0; i < candidates.length && feasible.length < wanted; i++) {
    const node = candidates[(startAt + i) % candidates.length]!
    const refusal = profile.filterWithNominatedPods(state, pod, node)
    if (refusal) statuses.set(node.name, refusal)
    else feasible.push(node)
  }
  return feasible
}

function diagnose(
  total: number,
  statuses: NodeStatuses,
  refusals: readonly Status[],
  by: ReadonlySet<string>,
): Diagnosis {
  const unschedulablePlugins = new Set(by)
  const pendingPlugins = new Set<string>()
  for (const { code, plugin } of refusals) {
    // What the framework itself says in the name of several plugins has no one's name.
    if (plugin !== undefined) (code === "Pending" ? pendingPlugins : unschedulablePlugins).add(plugin)
  }
  return { total, statuses, unschedulablePlugins, pendingPlugins, evaluated: statuses.size }
}

/** A refusal by `reserve` or `permit`, as it is told: of the one node that had been found. */
export function refusalOfNode(nodeName: string, status: Status): Diagnosis {
  const statuses = new NodeStatuses()
  statuses.set(nodeName, status)
  return diagnose(1, statuses, [status], new Set())
}

/** The event's message. `postFilterMessage` is what plugins said that were to help. */
export function fitMessage(diagnosis: Diagnosis, postFilterMessage = ""): string {
  const { total, statuses, preFilterMessage } = diagnosis
  if (total === 0) return "no nodes available to schedule pods"
  return [
    `0/${total} nodes are available:`,
    ...(preFilterMessage === undefined ? countedReasons(total, statuses) : [`${preFilterMessage}.`]),
    ...(postFilterMessage ? [postFilterMessage] : []),
  ].join(" ")
}

function countedReasons(total: number, statuses: NodeStatuses): string[] {
  const counts = new Map<string, number>()
  const count = (status: Status, nodes: number): void => {
    for (const reason of status.reasons) counts.set(reason, (counts.get(reason) ?? 0) + nodes)
  }
  for (const [, status] of statuses.explicit()) count(status, 1)
  if (statuses.size < total) count(statuses.absent, total - statuses.size)
  const lines = [...counts].map(([reason, nodes]) => `${nodes} ${reason}`).sort()
  return lines.length > 0 ? [`${lines.join(", ")}.`] : []
}

function best(nodes: readonly NodeInfo[], scores: readonly PluginScores[], random: Random): NodeInfo {
  const total = (i: number): number => scores.reduce((sum, { scores: of }) => sum + of[i]!, 0)
  // Among equals, chance decides: each of n seen so far wins with 1/n.
  let winner = 0
  let highest = total(0)
  let equals = 1
  for (let i = 1; i < nodes.length; i++) {
    const score = total(i)
    if (score > highest) {
      winner = i
      highest = score
      equals = 1
    } else if (score === highest && randomInt(random, ++equals) === 0) winner = i
  }
  return nodes[winner]!
}
