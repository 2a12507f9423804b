/**
 * Makes room for a pod that no node can take, by driving less important ones from a node.
 * Mirrors: pkg/scheduler/framework/plugins/defaultpreemption
 */
import { setImmediate } from "node:timers/promises"
import { podDisruptionBudget, type Pod } from "@knarr/api"
import { field, type FieldError } from "@knarr/apimachinery"
import { randomInt } from "@knarr/base"
import { priorityOf, type NodeInfo } from "../cache/node-info.ts"
import { fitMessage } from "../cycle.ts"
import type { CycleState } from "../framework/cycle-state.ts"
import { definePlugin, type Handle } from "../framework/plugin.ts"
import { NodeStatuses, Status, success, unresolvable, unschedulable } from "../framework/status.ts"
import type { Candidate } from "../preemption/candidate.ts"
import { Evictor, isGivingWay } from "../preemption/evictor.ts"
import { budgetsOf, pickCandidate, selectVictims, type Budget } from "../preemption/victims.ts"
import { SchedulerMetrics } from "../metrics.ts"

export interface DefaultPreemptionArgs {
  /** Of the nodes that could help, in percent: so many have to be found before the best is chosen. Default 10. */
  readonly minCandidateNodesPercentage: number
  /** At least so many. Default 100. */
  readonly minCandidateNodesAbsolute: number
}

const name = "DefaultPreemption"
const notHelpful = unresolvable("Preemption is not helpful for scheduling")
/** Nodes that are looked at before others have their turn. */
const nodesPerTurn = 50

export const defaultPreemption = definePlugin<DefaultPreemptionArgs>({
  name,
  nothingToDoAt: ["preEnqueue"],
  defaultArgs: { minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 100 },
  argsTable: {
    DefaultPreemptionArgs: {
      apiVersion: "string",
      kind: "string",
      minCandidateNodesAbsolute: "int32",
      minCandidateNodesPercentage: "int32",
    },
  },
  validateArgs,
  create(handle, args) {
    const budgets = handle.informers.informer(podDisruptionBudget)
    const evictor = new Evictor(handle, name)
    const metrics = new SchedulerMetrics(handle.env)
    return {
      // Those that refused the pod say when it is worth another try.
      eventsToRegister: () => [],
      async postFilter(state, pod, statuses, signal) {
        metrics.preemptionTried()
        const refused = (message: string) => ({ status: unschedulable(`preemption: ${message}`) })
        if (evictor.isRunning(pod)) return refused("waiting for the preemption for this pod to be finished")
        const ineligible = problemOf(state, pod, statuses)
        if (ineligible) return refused(ineligible)
        const helpful = statuses.nodesWith("Unschedulable", state.snapshot)
        const search = { handle, state, pod, budgets: budgetsOf(budgets.list()), args, signal }
        const { candidates, outcomes } = await findCandidates(search, helpful)
        const agreed =
          candidates.length > 0
            ? await handle.extenders.preempt(pod, candidates, state.snapshot, signal)
            : candidates
        const best = pickCandidate(agreed, handle.env.clock.now())
        if (!best) return { ...refused(noneMessage(state, outcomes)), nominatedNode: "" }
        metrics.preempted(best.victims.length)
        evictor.start(pod, best)
        const placement = `found a potential placement for pod on node ${best.nodeName}, preempting ${best.victims.length} victims`
        return { status: success(`preemption: ${placement}`), nominatedNode: best.nodeName }
      },
    }
  },
})

function validateArgs(args: Readonly<DefaultPreemptionArgs>, path: string): FieldError[] {
  const { minCandidateNodesPercentage: percentage, minCandidateNodesAbsolute: absolute } = args
  const [atPercentage, atAbsolute] = ["minCandidateNodesPercentage", "minCandidateNodesAbsolute"] as const
  const invalid = (name: string, value: number, detail: string): FieldError =>
    field.invalid(field.child(path, name), value, detail)
  const out: FieldError[] = []
  if (!(percentage >= 0 && percentage <= 100))
    out.push(invalid(atPercentage, percentage, "not in valid range [0, 100]"))
  if (!(absolute >= 0)) out.push(invalid(atAbsolute, absolute, "not in valid range [0, inf)"))
  if (percentage === 0 && absolute === 0)
    out.push(
      invalid(atPercentage, percentage, `cannot be zero at the same time as ${atAbsolute}`),
      invalid(atAbsolute, absolute, `cannot be zero at the same time as ${atPercentage}`),
    )
  return out
}

/** Why the pod may drive nobody away; undefined when it may. */
function problemOf(state: CycleState, pod: Readonly<Pod>, statuses: NodeStatuses): string | undefined {
  if (pod.spec.preemptionPolicy === "Never") return "not eligible due to preemptionPolicy=Never."
  const { nominatedNodeName } = pod.status
  const node = nominatedNodeName ? state.snapshot.get(nominatedNodeName) : undefined
  if (!node || statuses.get(node.name).code === "UnschedulableAndUnresolvable") return undefined
  const mine = priorityOf(pod)
  for (const info of node.pods.values())
    if (priorityOf(info.pod) < mine && isGivingWay(info.pod))
      return "not eligible due to a terminating pod on the nominated node."
  return undefined
}

interface Search {
  readonly handle: Handle
  readonly state: CycleState
  readonly pod: Readonly<Pod>
  readonly budgets: readonly Budget[]
  readonly args: Readonly<DefaultPreemptionArgs>
  readonly signal: AbortSignal
}

/** Enough nodes that could take the pod, from a random one on, and why the others could not. */
async function findCandidates(
  { handle, state, pod, budgets, args, signal }: Search,
  nodes: readonly NodeInfo[],
): Promise<{ candidates: readonly Candidate[]; outcomes: NodeStatuses }> {
  const candidates: Candidate[] = []
  const outcomes = new NodeStatuses()
  outcomes.absent = notHelpful
  const { minCandidateNodesPercentage, minCandidateNodesAbsolute } = args
  const share = Math.floor((nodes.length * minCandidateNodesPercentage) / 100)
  const enough = Math.min(Math.max(share, minCandidateNodesAbsolute), nodes.length)
  const first = nodes.length > 0 ? randomInt(handle.env.random, nodes.length) : 0
  for (let i = 0; i < nodes.length; i++) {
    if (i % nodesPerTurn === nodesPerTurn - 1) {
      await setImmediate()
      signal.throwIfAborted()
    }
    const node = nodes[(first + i) % nodes.length]!
    const found = selectVictims(handle, state, pod, node, budgets, handle.env.clock.now())
    if (found instanceof Status) outcomes.set(node.name, found)
    else candidates.push(found)
    if (candidates.length >= enough && candidates.some(({ violations }) => violations === 0)) break
  }
  return { candidates, outcomes }
}

function noneMessage({ snapshot }: CycleState, statuses: NodeStatuses): string {
  return fitMessage({
    ...{ total: snapshot.nodes.length, statuses, evaluated: 0 },
    unschedulablePlugins: new Set<string>(),
    pendingPlugins: new Set<string>(),
  })
}
