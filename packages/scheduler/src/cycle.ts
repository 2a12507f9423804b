/** One scheduling decision: a pod and a snapshot in, a node or the reasons out. Pure but for the tie-break. */
import type { Pod } from "@knarr/api"
import { randomInt, type Random } from "@knarr/base"
import type { NodeInfo } from "./cache/node-info.ts"
import { callPlugin, PluginError, type Refusal, type SchedulerPlugin, type Snapshot } from "./framework.ts"

export type Decision =
  | { readonly node: string }
  | {
      /** The event's message. */
      readonly message: string
      /** The plugins that refused. */
      readonly refusedBy: ReadonlySet<string>
    }

/**
 * `startAt` is where the search through the nodes begins, so that not always the same ones are looked at
 * when there are many. Throws a PluginError. Mirrors: pkg/scheduler/schedule_one.go
 */
export function decide(
  pod: Readonly<Pod>,
  snapshot: Snapshot,
  plugins: readonly SchedulerPlugin[],
  random: Random,
  startAt: number,
): Decision {
  const refusedBy = new Set<string>()
  const total = snapshot.nodes.length
  if (total === 0)
    return {
      message: "no nodes available to schedule pods",
      refusedBy: new Set(plugins.map((plugin) => plugin.name)),
    }

  const filters: { plugin: SchedulerPlugin; state: unknown }[] = []
  let allowed: ReadonlySet<string> | undefined
  for (const plugin of plugins) {
    const result = callPlugin(plugin, "preFilter", () => plugin.preFilter?.(pod, snapshot))
    if (result?.refusal) {
      refusedBy.add(plugin.name)
      const message = `0/${total} nodes are available: ${result.refusal.reasons.join(", ")}. ${preemptionMessage(total, total)}`
      return { message, refusedBy }
    }
    if (result?.nodeNames) {
      const names = result.nodeNames
      allowed = allowed ? new Set([...allowed].filter((name) => names.has(name))) : names
      if (allowed.size === 0) refusedBy.add(plugin.name)
    }
    if (plugin.filter && (!plugin.preFilter || result?.state !== undefined))
      filters.push({ plugin, state: result?.state })
  }

  const candidates = allowed
    ? [...allowed].flatMap((name) => snapshot.byName.get(name) ?? [])
    : snapshot.nodes
  const wanted = nodesToFind(candidates.length)
  const feasible: NodeInfo[] = []
  const reasons = new Map<string, number>()
  let resolvable = 0
  let looked = 0
  for (let i = 0; i < candidates.length && feasible.length < wanted; i++) {
    const node = candidates[(startAt + i) % candidates.length]!
    looked++
    const refusal = firstRefusal(pod, node, filters, refusedBy)
    if (!refusal) feasible.push(node)
    else {
      if (!refusal.unresolvable) resolvable++
      for (const reason of refusal.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
  }
  if (feasible.length === 0) {
    if (allowed && total > looked) {
      const reason = "node(s) didn't satisfy plugin(s) " + `[${[...refusedBy].sort().join(" ")}]`
      if (looked === 0) reasons.set(reason, total)
    }
    const lines = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort()
    const message = `0/${total} nodes are available: ${lines.join(", ")}. ${preemptionMessage(total, total - resolvable)}`
    return { message, refusedBy }
  }
  if (feasible.length === 1) return { node: feasible[0]!.name }
  return { node: best(pod, feasible, snapshot, plugins, random) }
}

function firstRefusal(
  pod: Readonly<Pod>,
  node: NodeInfo,
  filters: readonly { plugin: SchedulerPlugin; state: unknown }[],
  refusedBy: Set<string>,
): Refusal | undefined {
  for (const { plugin, state } of filters) {
    let refusal: Refusal | undefined
    try {
      refusal = plugin.filter!(pod, node, state)
    } catch (thrown) {
      throw new PluginError(plugin.name, "filter", thrown)
    }
    if (refusal) {
      refusedBy.add(plugin.name)
      return refusal
    }
  }
  return undefined
}

/** How preemption would fare: this scheduler removes nobody, and says for how many nodes that could not help anyway. */
function preemptionMessage(total: number, unresolvable: number): string {
  const parts: string[] = []
  if (total > unresolvable) parts.push(`${total - unresolvable} No preemption victims found for incoming pod`)
  if (unresolvable > 0) parts.push(`${unresolvable} Preemption is not helpful for scheduling`)
  return `preemption: 0/${total} nodes are available: ${parts.sort().join(", ")}.`
}

/** All of up to 100 nodes; of more, a share that falls from 50% to 5%. */
function nodesToFind(nodes: number): number {
  if (nodes < 100) return nodes
  const percentage = Math.max(50 - Math.floor(nodes / 125), 5)
  return Math.max(Math.floor((nodes * percentage) / 100), 100)
}

function best(
  pod: Readonly<Pod>,
  nodes: readonly NodeInfo[],
  snapshot: Snapshot,
  plugins: readonly SchedulerPlugin[],
  random: Random,
): string {
  const totals = new Array<number>(nodes.length).fill(0)
  for (const plugin of plugins) {
    if (!plugin.score) continue
    const state: unknown = callPlugin(plugin, "preScore", () => plugin.preScore?.(pod, nodes, snapshot))
    if (plugin.preScore && state === undefined) continue
    const scores = callPlugin(plugin, "score", () => nodes.map((node) => plugin.score!(pod, node, state)))
    callPlugin(plugin, "normalize", () => plugin.normalize?.(scores, state))
    for (let i = 0; i < scores.length; i++) totals[i]! += scores[i]! * (plugin.weight ?? 1)
  }
  // Among equals, chance decides: each of n seen so far wins with 1/n.
  let winner = 0
  let equals = 1
  for (let i = 1; i < totals.length; i++) {
    if (totals[i]! > totals[winner]!) {
      winner = i
      equals = 1
    } else if (totals[i] === totals[winner] && randomInt(random, ++equals) === 0) winner = i
  }
  return nodes[winner]!.name
}
