/**
 * Evenly over zones, nodes or any topology. How many pods are where is what the snapshot has counted.
 * Mirrors: plugins/podtopologyspread
 */
import type { Node, Pod } from "@knarr/api"
import { field, validateLabelName, type FieldError } from "@knarr/apimachinery"
import type { NodeInfo, PodInfo } from "../cache/node-info.ts"
import type { TallySpec } from "../cache/pod-tallies.ts"
import type { Snapshot } from "../cache/snapshot.ts"
import { ActionType, onEvent, type QueueingHintFunction } from "../framework/cluster-event.ts"
import { stateKey, type CycleState } from "../framework/cycle-state.ts"
import { definePlugin, maxNodeScore } from "../framework/plugin.ts"
import { skip, unresolvable, unschedulable } from "../framework/status.ts"
import { createDefaultSelector } from "./default-selector.ts"
import { WhatIfTally } from "./what-if-tally.ts"
import {
  constraintFrom,
  constraintsOf,
  countMatching,
  hasAllKeys,
  isIncluded,
  type DefaultConstraint,
  type SpreadConstraint,
} from "./spread-constraints.ts"

interface HardSpread {
  readonly constraint: SpreadConstraint
  /** Topology value → matching pods there. */
  readonly counts: WhatIfTally
  /** The pod itself matches, and so adds one where it goes. */
  readonly self: number
}

interface SoftSpread {
  readonly constraint: SpreadConstraint
  /** Of the values that feasible nodes have; by host it is counted per node. */
  readonly counts: ReadonlyMap<string, number>
  /** Topologies with many values say less about each. */
  readonly weight: number
}

interface ScoreState {
  readonly spreads: readonly SoftSpread[]
  /** Nodes that lack one of the keys are not scored. */
  readonly ignored: ReadonlySet<NodeInfo>
}

const hardSpreads = stateKey<readonly HardSpread[]>("PreFilterPodTopologySpread", (spreads) =>
  spreads.map((spread) => ({ ...spread, counts: spread.counts.clone() })),
)
const softSpreads = stateKey<ScoreState>("PreScorePodTopologySpread")

const skewed = unschedulable("node(s) didn't match pod topology spread constraints")
const lacksLabel = unresolvable(
  "node(s) didn't match pod topology spread constraints (missing required label)",
)

const hostKey = "kubernetes.io/hostname"
/** What upstream spreads by when the pod says nothing, if it belongs to a service or controller. */
const systemDefaults: readonly DefaultConstraint[] = [
  { topologyKey: hostKey, maxSkew: 3, whenUnsatisfiable: "ScheduleAnyway" },
  { topologyKey: "topology.kubernetes.io/zone", maxSkew: 5, whenUnsatisfiable: "ScheduleAnyway" },
]

export interface PodTopologySpreadArgs {
  /** `System`: upstream's own; `List`: these. */
  readonly defaultingType: string
  readonly defaultConstraints?:
    | readonly (DefaultConstraint & { readonly labelSelector?: unknown })[]
    | undefined
}

type Action = "DoNotSchedule" | "ScheduleAnyway"
const actions: readonly Action[] = ["DoNotSchedule", "ScheduleAnyway"]

export const podTopologySpread = definePlugin<PodTopologySpreadArgs>({
  name: "PodTopologySpread",
  weight: 2,
  defaultArgs: { defaultingType: "System" },
  argsTable: {
    PodTopologySpreadArgs: {
      apiVersion: "string",
      defaultConstraints: "[]io.k8s.api.core.v1.TopologySpreadConstraint",
      defaultingType: "string",
      kind: "string",
    },
  },
  validateArgs,
  create({ informers }, { defaultingType, defaultConstraints = [] }) {
    const isSystem = defaultingType === "System"
    const defaults = isSystem ? systemDefaults : defaultConstraints
    const defaultSelector = defaults.length > 0 ? createDefaultSelector(informers) : () => undefined
    /** The pod's own, or the default ones when it has none. */
    const constraintsFor = (pod: Readonly<Pod>, action: Action): SpreadConstraint[] => {
      if (pod.spec.topologySpreadConstraints?.length) return constraintsOf(pod, action)
      const wanted = defaults.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === action)
      const selector = wanted.length > 0 ? defaultSelector(pod) : undefined
      return selector && !selector.empty ? wanted.map((one) => constraintFrom(one, selector)) : []
    }
    const hints = hintsFor((pod) => constraintsFor(pod, "DoNotSchedule"))
    return {
      eventsToRegister: () => [
        onEvent<Pod>(
          "AssignedPod",
          ActionType.Add | ActionType.UpdatePodLabel | ActionType.Delete,
          hints.afterPodChange,
        ),
        onEvent<Pod>(
          "TargetPod",
          ActionType.UpdatePodToleration | ActionType.UpdatePodLabel,
          hints.afterOwnChange,
        ),
        onEvent<Node>(
          "Node",
          ActionType.Add | ActionType.Delete | ActionType.UpdateNodeLabel | ActionType.UpdateNodeTaint,
          hints.afterNodeChange,
        ),
      ],

      preFilter(state, pod) {
        const constraints = constraintsFor(pod, "DoNotSchedule")
        if (constraints.length === 0) return skip
        const isWhole = (node: NodeInfo): boolean => hasAllKeys(node.labels, constraints)
        const keys = constraints.map(({ topologyKey }) => topologyKey).join(",")
        const spreads = constraints.map((constraint) => ({
          constraint,
          counts: new WhatIfTally(state.snapshot.tally(tallySpec(pod, constraint, keys, isWhole))),
          self: constraint.selector.matches(pod.metadata.labels) ? 1 : 0,
        }))
        state.write(hardSpreads, spreads)
        return undefined
      },
      addPod: (state, pod, added, node) => recount(state, pod, added, node, 1),
      removePod: (state, pod, removed, node) => recount(state, pod, removed, node, -1),

      filter(state, _pod, node) {
        for (const { constraint, counts, self } of state.read(hardSpreads)) {
          const value = node.labels[constraint.topologyKey]
          if (value === undefined) return lacksLabel
          const least = counts.size < constraint.minDomains ? 0 : counts.minimum
          if (counts.at(value) + self - least > constraint.maxSkew) return skewed
        }
        return undefined
      },

      preScore(state, pod, nodes) {
        const constraints = constraintsFor(pod, "ScheduleAnyway")
        if (constraints.length === 0) return skip
        // A node without a zone can still be one host among others.
        const mayLack = isSystem && !pod.spec.topologySpreadConstraints?.length
        const isWhole = (node: NodeInfo): boolean => mayLack || hasAllKeys(node.labels, constraints)
        const ignored = new Set(nodes.filter((node) => !isWhole(node)))
        const keys = mayLack ? "" : constraints.map(({ topologyKey }) => topologyKey).join(",")
        const spreads = constraints.map((constraint) =>
          softSpread(constraint, pod, nodes, ignored, state.snapshot, keys, isWhole),
        )
        state.write(softSpreads, { spreads, ignored })
        return undefined
      },

      score(state, pod, node) {
        const { spreads, ignored } = state.read(softSpreads)
        if (ignored.has(node)) return 0
        let sum = 0
        for (const { constraint, counts, weight } of spreads) {
          const { topologyKey, selector, maxSkew } = constraint
          const value = node.labels[topologyKey]
          if (value === undefined) continue
          const count =
            topologyKey === hostKey
              ? countMatching(node, selector, pod.metadata.namespace)
              : (counts.get(value) ?? 0)
          sum += count * weight + (maxSkew - 1)
        }
        return Math.round(sum)
      },

      normalizeScore(state, _pod, scores, nodes) {
        const { ignored } = state.read(softSpreads)
        let [min, max] = [Number.POSITIVE_INFINITY, 0]
        for (let i = 0; i < scores.length; i++) {
          if (ignored.has(nodes[i]!)) continue
          min = Math.min(min, scores[i]!)
          max = Math.max(max, scores[i]!)
        }
        for (let i = 0; i < scores.length; i++) {
          if (ignored.has(nodes[i]!)) scores[i] = 0
          else
            scores[i] = max === 0 ? maxNodeScore : Math.floor((maxNodeScore * (max + min - scores[i]!)) / max)
        }
      },
    }
  },
})

/** A what-if: the pod comes or goes. */
function recount(
  state: CycleState,
  pod: Readonly<Pod>,
  { pod: other }: PodInfo,
  node: NodeInfo,
  by: number,
): undefined {
  const spreads = state.read(hardSpreads)
  const constraints = spreads.map(({ constraint }) => constraint)
  if (other.metadata.namespace !== pod.metadata.namespace || !hasAllKeys(node.labels, constraints))
    return undefined
  for (const { constraint, counts } of spreads) {
    if (constraint.selector.matches(other.metadata.labels) && isIncluded(pod, constraint, node.node))
      counts.add(node.labels[constraint.topologyKey]!, by)
  }
  return undefined
}

function softSpread(
  constraint: SpreadConstraint,
  pod: Readonly<Pod>,
  feasible: readonly NodeInfo[],
  ignored: ReadonlySet<NodeInfo>,
  snapshot: Snapshot,
  keys: string,
  isWhole: (node: NodeInfo) => boolean,
): SoftSpread {
  const { topologyKey } = constraint
  const weigh = (values: number): number => Math.log(values + 2)
  if (topologyKey === hostKey)
    return { constraint, counts: noCounts, weight: weigh(feasible.length - ignored.size) }
  const { counts } = snapshot.tally(tallySpec(pod, constraint, keys, isWhole))
  const values = new Set<string>()
  for (const node of feasible) {
    const value = node.labels[topologyKey]
    if (value !== undefined && !ignored.has(node)) values.add(value)
  }
  return { constraint, counts, weight: weigh(values.size) }
}

const noCounts: ReadonlyMap<string, number> = new Map()

/** Matching pods of the nodes that belong to the topology as the pod sees it; `keys` are the labels that `isWhole` asks for. */
function tallySpec(
  pod: Readonly<Pod>,
  constraint: SpreadConstraint,
  keys: string,
  isWhole: (node: NodeInfo) => boolean,
): TallySpec {
  const { topologyKey, selector, honorAffinity, honorTaints } = constraint
  const { namespace } = pod.metadata
  const { nodeSelector, affinity, tolerations } = pod.spec
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const asked = [
    honorAffinity && (nodeSelector ?? required) ? [nodeSelector, required] : 0,
    honorTaints ? [tolerations] : 0,
  ]
  return {
    key: [
      "spread",
      namespace,
      selector.empty ? "none" : selector.toString(),
      keys,
      JSON.stringify(asked),
    ].join(";"),
    topologyKey,
    includes: (node) => isWhole(node) && isIncluded(pod, constraint, node.node),
    count: (node) => countMatching(node, selector, namespace),
  }
}

/** What may help a pod whose hard constraints these are. */
function hintsFor(hardOf: (pod: Readonly<Pod>) => SpreadConstraint[]): {
  afterPodChange: QueueingHintFunction<Pod>
  afterOwnChange: QueueingHintFunction<Pod>
  afterNodeChange: QueueingHintFunction<Node>
} {
  /** One that is new or gone matched nothing before, or matches nothing now. */
  const matchesDiffer: QueueingHintFunction<Pod> = (pod, old, now) => {
    const matches = ({ selector }: SpreadConstraint, one: Readonly<Pod> | undefined): boolean =>
      one !== undefined && selector.matches(one.metadata.labels)
    return hardOf(pod).some((one) => matches(one, old) !== matches(one, now)) ? "Queue" : "QueueSkip"
  }
  return {
    afterPodChange(pod, old, now) {
      if ((now ?? old)!.metadata.namespace !== pod.metadata.namespace) return "QueueSkip"
      return matchesDiffer(pod, old, now)
    },
    afterOwnChange(pod, old, now) {
      const tolerates = old!.spec.tolerations?.length !== now!.spec.tolerations?.length
      if (tolerates && hardOf(pod).some(({ honorTaints }) => honorTaints)) return "Queue"
      return matchesDiffer(pod, old, now)
    },
    afterNodeChange(pod, old, now) {
      const constraints = hardOf(pod)
      const belongs = (node: Readonly<Node> | undefined): boolean =>
        node !== undefined && hasAllKeys(node.metadata.labels, constraints)
      if (!belongs(old) && !belongs(now)) return "QueueSkip"
      if (belongs(old) !== belongs(now)) return "Queue"
      const places = (node: Readonly<Node>): string =>
        JSON.stringify([
          constraints.map(({ topologyKey }) => node.metadata.labels?.[topologyKey]),
          node.spec.taints ?? [],
        ])
      return places(old!) === places(now!) ? "QueueSkip" : "Queue"
    },
  }
}

function validateArgs(
  { defaultingType: type, defaultConstraints: constraints = [] }: Readonly<PodTopologySpreadArgs>,
  path: string,
): FieldError[] {
  const at = (name: string): string => field.child(path, name)
  const out: FieldError[] = []
  if (type !== "System" && type !== "List")
    out.push(field.notSupported(at("defaultingType"), type, ["System", "List"]))
  else if (type === "System" && constraints.length > 0)
    out.push(field.invalid(at("defaultingType"), type, "when .defaultConstraints are not empty"))
  for (const [i, constraint] of constraints.entries()) {
    const here = field.index(at("defaultConstraints"), i)
    const { maxSkew = 0, topologyKey: key = "", whenUnsatisfiable: action = "" } = constraint
    if (maxSkew <= 0) out.push(field.invalid(`${here}.maxSkew`, maxSkew, "not in valid range (0, inf)"))
    if (key === "") out.push(field.required(`${here}.topologyKey`, "can not be empty"))
    else out.push(...validateLabelName(key, `${here}.topologyKey`))
    if (action === "") out.push(field.required(`${here}.whenUnsatisfiable`, "can not be empty"))
    else if (!actions.some((one) => one === action))
      out.push(field.notSupported(`${here}.whenUnsatisfiable`, action, actions))
    if (constraint.labelSelector)
      out.push(
        field.forbidden(
          `${here}.labelSelector`,
          "constraint must not define a selector, as they deduced for each pod",
        ),
      )
    const isSame = (other: DefaultConstraint): boolean =>
      other.topologyKey === key && other.whenUnsatisfiable === action
    if (constraints.slice(0, i).some(isSame)) out.push(field.duplicate(here, `{${key}, ${action}}`))
  }
  return out
}
