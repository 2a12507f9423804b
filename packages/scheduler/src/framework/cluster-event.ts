/**
 * What happens in the cluster, as far as pods without a node care, and what plugins say of it.
 * Mirrors: kube-scheduler framework/types.go ClusterEvent, pkg/scheduler/framework/events.go
 */
import type { Node, Pod } from "@knarr/api"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import { podRequests } from "@knarr/pod-rules"

/** Bits, so that an event to listen for may name several. */
export const ActionType = Object.freeze({
  Add: 1 << 0,
  Delete: 1 << 1,
  UpdateNodeAllocatable: 1 << 2,
  UpdateNodeLabel: 1 << 3,
  /** Taints, or `spec.unschedulable`. */
  UpdateNodeTaint: 1 << 4,
  UpdateNodeCondition: 1 << 5,
  UpdateNodeAnnotation: 1 << 6,
  UpdateNodeDeclaredFeature: 1 << 7,
  UpdateNodePreemptionPolicy: 1 << 8,
  UpdatePodLabel: 1 << 9,
  /** Some request became less. */
  UpdatePodScaleDown: 1 << 10,
  UpdatePodScaleUp: 1 << 11,
  UpdatePodToleration: 1 << 12,
  /** The last scheduling gate is gone. */
  UpdatePodSchedulingGatesEliminated: 1 << 13,
  UpdatePodGeneratedResourceClaim: 1 << 14,
  /** Anything that changed about an object. */
  Update: ((1 << 15) - 1) & ~3,
  All: (1 << 15) - 1,
})

/**
 * A kind, as `Node`, `PersistentVolume` or, with a group, `storage.k8s.io/CSINode`. Pods are told apart:
 * `AssignedPod` has a node, `TargetPod` is the waiting pod itself, `UnscheduledPod` is another that waits; `Pod` is
 * all three. `*` is everything.
 */
export type EventResource =
  | "Pod"
  | "AssignedPod"
  | "UnscheduledPod"
  | "TargetPod"
  | "Node"
  | "*"
  | (string & {})

export interface ClusterEvent {
  readonly resource: EventResource
  /** Of {@link ActionType}. */
  readonly action: number
}

/** Whether an event that happened may make a pod schedulable that the plugin refused. */
export type QueueingHint = "Queue" | "QueueSkip"

/**
 * `old` is missing when the object is new, `now` when it is gone. What it throws is logged and taken for
 * `Queue`.
 */
export type QueueingHintFunction<T = any> = (
  pod: Readonly<Pod>,
  old: T | undefined,
  now: T | undefined,
) => QueueingHint

export interface ClusterEventWithHint {
  readonly event: ClusterEvent
  /** Default: every such event may help. */
  readonly hint?: QueueingHintFunction
  /** Of a resource that is not among the built-in ones of the API: what to watch. */
  readonly kind?: Kind<any>
}

export const everyEvent: ClusterEvent = { resource: "*", action: ActionType.All }

const podResources: ReadonlySet<string> = new Set(["AssignedPod", "UnscheduledPod", "TargetPod"])

/** Whether what a plugin listens for covers what happened: a general update is not one of labels. */
export function covers(wanted: ClusterEvent, happened: ClusterEvent): boolean {
  if ((wanted.action & happened.action) !== happened.action) return false
  if (wanted.resource === happened.resource || wanted.resource === "*") return true
  return wanted.resource === "Pod" && podResources.has(happened.resource)
}

/** `NodeAdd`, `AssignedPodDelete`, `NodeUpdateNodeLabel`: as logs and metrics name it. */
export function eventLabel(event: ClusterEvent): string {
  const action = Object.entries(ActionType).find(([, bits]) => bits === event.action)
  return `${event.resource}${action?.[0] ?? event.action}`
}

export function eventOf(resource: EventResource, action: number): ClusterEvent {
  return { resource, action }
}

function differ(a: unknown, b: unknown): boolean {
  return a !== b && JSON.stringify(a ?? {}) !== JSON.stringify(b ?? {})
}

/** What changed about a node that scheduling cares about. */
export function nodeEvents(now: Readonly<Node>, old: Readonly<Node>): ClusterEvent[] {
  const conditions = (node: Readonly<Node>): string =>
    JSON.stringify((node.status.conditions ?? []).map(({ type, status }) => [type, status]).sort())
  const actions: [number, boolean][] = [
    // One that becomes unschedulable helps nobody.
    [ActionType.UpdateNodeTaint, Boolean(old.spec.unschedulable) && !now.spec.unschedulable],
    [ActionType.UpdateNodeAllocatable, differ(now.status.allocatable, old.status.allocatable)],
    [ActionType.UpdateNodeLabel, differ(now.metadata.labels, old.metadata.labels)],
    [ActionType.UpdateNodeTaint, differ(now.spec.taints, old.spec.taints)],
    [ActionType.UpdateNodeCondition, conditions(now) !== conditions(old)],
    [ActionType.UpdateNodeAnnotation, differ(now.metadata.annotations, old.metadata.annotations)],
    [ActionType.UpdateNodeDeclaredFeature, differ(now.status.declaredFeatures, old.status.declaredFeatures)],
    [
      ActionType.UpdateNodePreemptionPolicy,
      differ(now.spec.podPreemptionPolicy, old.spec.podPreemptionPolicy),
    ],
  ]
  return actions.filter(([, happened]) => happened).map(([action]) => eventOf("Node", action))
}

/** What changed about a pod; the general `Update` when it is nothing in particular. */
export function podEvents(
  now: Readonly<Pod>,
  old: Readonly<Pod>,
  resource: "AssignedPod" | "UnscheduledPod" | "TargetPod",
): ClusterEvent[] {
  const requests = now.spec === old.spec ? [{}, {}] : [podRequests(now), podRequests(old)]
  const [wants = {}, wanted = {}] = requests
  const names = [...new Set([...Object.keys(wants), ...Object.keys(wanted)])]
  const claims = ({ status }: Readonly<Pod>): unknown => [
    status.resourceClaimStatuses,
    status.extendedResourceClaimStatus,
  ]
  const actions: [number, boolean][] = [
    [ActionType.UpdatePodLabel, differ(now.metadata.labels, old.metadata.labels)],
    [ActionType.UpdatePodScaleDown, names.some((name) => (wants[name] ?? 0) < (wanted[name] ?? 0))],
    [ActionType.UpdatePodScaleUp, names.some((name) => (wants[name] ?? 0) > (wanted[name] ?? 0))],
    [
      ActionType.UpdatePodSchedulingGatesEliminated,
      !now.spec.schedulingGates?.length && Boolean(old.spec.schedulingGates?.length),
    ],
    [ActionType.UpdatePodToleration, now.spec.tolerations?.length !== old.spec.tolerations?.length],
    [ActionType.UpdatePodGeneratedResourceClaim, differ(claims(now), claims(old))],
  ]
  const events = actions.filter(([, happened]) => happened).map(([action]) => eventOf(resource, action))
  return events.length > 0 ? events : [eventOf(resource, ActionType.Update)]
}

/** The hint of a plugin's event, typed. */
export function onEvent<T extends KubeObject>(
  resource: EventResource,
  action: number,
  hint?: QueueingHintFunction<T>,
): ClusterEventWithHint {
  return hint ? { event: { resource, action }, hint } : { event: { resource, action } }
}
