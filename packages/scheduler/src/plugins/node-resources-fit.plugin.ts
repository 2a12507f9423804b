/** Nodes with room for the pod; rather those with much of it. Mirrors: plugins/noderesources/fit.go */
import { isExtendedResource, type Node, type Pod } from "@knarr/api"
import { field, validateLabelName, type FieldError } from "@knarr/apimachinery"
import { allocatableOf, podRequests, type Amounts } from "@knarr/pod-rules"
import { podInfoOf } from "../cache/node-info.ts"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { definePlugin } from "../framework/plugin.ts"
import { Status } from "../framework/status.ts"
import {
  allocatableOn,
  completeResources,
  defaultResources,
  nodeScorer,
  requestedOn,
  resourceTables,
  shapeErrors,
  strategyTypes,
  type ScoringStrategy,
} from "./resource-scores.ts"

export interface NodeResourcesFitArgs {
  /** Extended resources that somebody else looks after. */
  readonly ignoredResources?: readonly string[] | undefined
  /** The same by what stands before the slash. */
  readonly ignoredResourceGroups?: readonly string[] | undefined
  /** Default: rather nodes of which little is used, cpu and memory alike. */
  readonly scoringStrategy: ScoringStrategy
}

export const nodeResourcesFit = definePlugin<NodeResourcesFitArgs>({
  name: "NodeResourcesFit",
  weight: 1,
  nothingToDoAt: ["preFilter", "preScore"],
  defaultArgs: { scoringStrategy: { type: "LeastAllocated", resources: defaultResources } },
  argsTable: {
    ...resourceTables,
    NodeResourcesFitArgs: {
      apiVersion: "string",
      ignoredResourceGroups: "[]string",
      ignoredResources: "[]string",
      kind: "string",
      scoringStrategy: "ScoringStrategy",
    },
    RequestedToCapacityRatioParam: { shape: "[]UtilizationShapePoint" },
    ScoringStrategy: {
      requestedToCapacityRatio: "RequestedToCapacityRatioParam",
      resources: "[]ResourceSpec",
      type: "string",
    },
  },
  completeArgs: (args) => ({
    ...args,
    scoringStrategy: {
      ...args.scoringStrategy,
      resources: completeResources(args.scoringStrategy.resources),
    },
  }),
  validateArgs,
  create(_handle, args) {
    const ignored = new Set(args.ignoredResources)
    const ignoredGroups = new Set(args.ignoredResourceGroups)
    const isIgnored = (name: string): boolean =>
      isExtendedResource(name) && (ignored.has(name) || ignoredGroups.has(name.split("/")[0]!))
    const ignoresAny = ignored.size > 0 || ignoredGroups.size > 0
    const scoreOf = nodeScorer(args.scoringStrategy)
    return {
      eventsToRegister: () => [
        onEvent("AssignedPod", ActionType.Delete),
        onEvent<Pod>("AssignedPod", ActionType.UpdatePodScaleDown, (pod, old, now) =>
          someLess(podRequests(pod), podRequests(now!), podRequests(old!)) ? "Queue" : "QueueSkip",
        ),
        onEvent("TargetPod", ActionType.UpdatePodScaleDown),
        onEvent<Node>("Node", ActionType.Add | ActionType.UpdateNodeAllocatable, (pod, old, now) =>
          couldFit(podRequests(pod), old && allocatableOf(old), allocatableOf(now!)) ? "Queue" : "QueueSkip",
        ),
      ],
      filter(_state, pod, node) {
        const { requests } = podInfoOf(pod)
        let reasons: string[] | undefined
        let never = false
        if (node.podCount + 1 > node.allowedPods) reasons = ["Too many pods"]
        for (const name in requests) {
          const wanted = requests[name]!
          const all = allocatableOn(node, name)
          if (wanted === 0 || wanted <= all - requestedOn(node, name)) continue
          if (ignoresAny && isIgnored(name)) continue
          ;(reasons ??= []).push(`Insufficient ${name}`)
          if (wanted > all) never = true
        }
        return reasons && new Status(never ? "UnschedulableAndUnresolvable" : "Unschedulable", reasons)
      },
      score: (_state, pod, node) => scoreOf(podInfoOf(pod), node),
    }
  },
})

function validateArgs(args: Readonly<NodeResourcesFitArgs>, path: string): FieldError[] {
  const out: FieldError[] = []
  const at = (name: string): string => field.child(path, name)
  for (const [i, name] of (args.ignoredResources ?? []).entries())
    out.push(...validateLabelName(name, field.index(at("ignoredResources"), i)))
  for (const [i, group] of (args.ignoredResourceGroups ?? []).entries()) {
    const here = field.index(at("ignoredResourceGroups"), i)
    if (group.includes("/")) out.push(field.invalid(here, group, "resource group name can't contain '/'"))
    out.push(...validateLabelName(group, here))
  }
  return [...out, ...strategyErrors(args.scoringStrategy, at("scoringStrategy"))]
}

function strategyErrors(strategy: ScoringStrategy, path: string): FieldError[] {
  const { type, resources, requestedToCapacityRatio: ratio } = strategy
  const out: FieldError[] = []
  if (!strategyTypes.some((one) => one === type))
    out.push(field.notSupported(`${path}.type`, type ?? "", strategyTypes))
  for (const [i, { name, weight = 1 }] of resources.entries())
    if (!(weight > 0 && weight <= 100))
      out.push(
        field.invalid(
          `${path}.resources[${i}].weight`,
          weight,
          `resource weight of ${name} not in valid range (0, 100]`,
        ),
      )
  const here = `${path}.requestedToCapacityRatio`
  if (type !== "RequestedToCapacityRatio")
    return ratio
      ? [...out, field.forbidden(here, `must be nil when type is not RequestedToCapacityRatio`)]
      : out
  if (!ratio) return [...out, field.required(here, "must be specified when type is RequestedToCapacityRatio")]
  return [...out, ...shapeErrors(ratio.shape, `${here}.shape`)]
}

/** Whether there is less now of something that is wanted. */
function someLess(wanted: Amounts, now: Amounts, old: Amounts): boolean {
  return Object.keys(wanted).some((name) => wanted[name]! > 0 && (now[name] ?? 0) < (old[name] ?? 0))
}

/** Whether an empty node could take it, and gives more than before. */
function couldFit(wanted: Amounts, old: Amounts | undefined, now: Amounts): boolean {
  if ((now["pods"] ?? 0) < 1) return false
  for (const name in wanted) if (wanted[name]! > (now[name] ?? 0)) return false
  return !old || someLess({ ...wanted, pods: 1 }, old, now)
}
