/** Informers to cache and queue, and what happens to the waiting pods. Mirrors: pkg/scheduler/eventhandlers.go */
import type { Scope } from "@knarr/base"
import {
  csiDriver,
  csiNode,
  csiStorageCapacity,
  deviceClass,
  node,
  persistentVolume,
  persistentVolumeClaim,
  pod,
  resourceClaim,
  resourceSlice,
  storageClass,
  volumeAttachment,
  type Node,
  type Pod,
} from "@knarr/api"
import type { Kind } from "@knarr/apimachinery"
import type { InformerFactory, InformerHandler } from "@knarr/client"
import { isPodTerminal } from "@knarr/pod-rules"
import type { ClusterCache } from "./cache/cluster-cache.ts"
import { priorityOf } from "./cache/node-info.ts"
import type { Nominator } from "./cache/nominator.ts"
import {
  ActionType,
  eventOf,
  nodeEvents,
  podEvents,
  type ClusterEventWithHint,
} from "./framework/cluster-event.ts"
import type { Profile } from "./framework/profile.ts"
import type { SchedulingQueue } from "./queue/scheduling-queue.ts"

/** Of the resources that plugins may listen for, beside pods and nodes. */
const kinds: Readonly<Record<string, Kind<any>>> = {
  PersistentVolume: persistentVolume,
  PersistentVolumeClaim: persistentVolumeClaim,
  "storage.k8s.io/CSINode": csiNode,
  "storage.k8s.io/CSIDriver": csiDriver,
  "storage.k8s.io/CSIStorageCapacity": csiStorageCapacity,
  "storage.k8s.io/StorageClass": storageClass,
  "storage.k8s.io/VolumeAttachment": volumeAttachment,
  "resource.k8s.io/DeviceClass": deviceClass,
  "resource.k8s.io/ResourceClaim": resourceClaim,
  "resource.k8s.io/ResourceSlice": resourceSlice,
}
const podsAndNodes: ReadonlySet<string> = new Set([
  "Pod",
  "AssignedPod",
  "UnscheduledPod",
  "TargetPod",
  "Node",
  "*",
])

export const assignedPodDelete = eventOf("AssignedPod", ActionType.Delete)

export interface EventTargets {
  readonly cache: ClusterCache
  readonly queue: SchedulingQueue
  readonly nominator: Nominator
  /** Undefined for a pod of another scheduler. */
  profileOf(pod: Readonly<Pod>): Profile | undefined
}

/**
 * The resources beside pods and nodes that plugins listen for. Throws for one that nobody knows how to watch; what
 * listens for everything asks for none.
 */
export function watchedKinds(events: Iterable<ClusterEventWithHint>): ReadonlyMap<string, Kind<any>> {
  const watched = new Map<string, Kind<any>>()
  for (const { event, kind } of events) {
    if (podsAndNodes.has(event.resource)) continue
    const known = kind ?? kinds[event.resource]
    if (!known)
      throw new Error(
        `Cannot listen for "${event.resource}": the event names no kind, and it is none of the API's`,
      )
    watched.set(event.resource, known)
  }
  return watched
}

/** Follows the informers, which are synced, until the scope ends. */
export function handleEvents(
  informers: InformerFactory,
  watched: ReadonlyMap<string, Kind<any>>,
  targets: EventTargets,
  scope: Scope,
): void {
  scope.use(informers.informer(node).subscribe(nodeHandler(targets)))
  scope.use(informers.informer(pod).subscribe(podHandler(targets)))
  for (const [resource, kind] of watched)
    scope.use(informers.informer(kind).subscribe(otherHandler(resource, targets.queue)))
}

function otherHandler(resource: string, queue: SchedulingQueue): InformerHandler<object> {
  return {
    added: (now) => queue.moveAll(eventOf(resource, ActionType.Add), undefined, now),
    updated: (now, old) => queue.moveAll(eventOf(resource, ActionType.Update), old, now),
    deleted: (old) => queue.moveAll(eventOf(resource, ActionType.Delete), old, undefined),
  }
}

function nodeHandler({ cache, queue }: EventTargets): InformerHandler<Node> {
  return {
    added(now) {
      cache.setNode(now)
      queue.moveAll(eventOf("Node", ActionType.Add), undefined, now)
    },
    updated(now, old) {
      cache.setNode(now)
      for (const event of nodeEvents(now, old)) queue.moveAll(event, old, now)
    },
    deleted(old) {
      cache.removeNode(old.metadata.name)
      queue.moveAll(eventOf("Node", ActionType.Delete), old, undefined)
    },
  }
}

function podHandler(targets: EventTargets): InformerHandler<Pod> {
  const { cache, queue, nominator } = targets
  /** A pod with a node. */
  const setAssigned = (now: Pod, old: Pod | undefined): void => {
    nominator.delete(now.metadata.uid)
    queue.remove(now.metadata.uid)
    cache.setPod(now)
    const [isOver, wasOver] = [isPodTerminal(now), old !== undefined && isPodTerminal(old)]
    if (isOver) {
      if (old?.spec.nodeName && !wasOver) queue.moveAll(assignedPodDelete, old, undefined)
    } else if (!old?.spec.nodeName) queue.moveAll(eventOf("AssignedPod", ActionType.Add), undefined, now)
    else for (const event of podEvents(now, old, "AssignedPod")) queue.moveAll(event, old, now)
  }
  /** A pod without one. */
  const setWaiting = (now: Pod, old: Pod | undefined): void => {
    cache.setPod(now)
    const isOurs = targets.profileOf(now) !== undefined
    if (isOurs && (isPodTerminal(now) || now.metadata.deletionTimestamp)) return dropWaiting(now)
    if (cache.assumed(now.metadata.uid)) return
    if (isOurs) {
      nominator.update(now, old)
      queue.update(now)
    }
    const events = old ? podEvents(now, old, "UnscheduledPod") : [eventOf("UnscheduledPod", ActionType.Add)]
    for (const event of events)
      queue.moveAll(event, old, now, (other) => other.metadata.uid !== now.metadata.uid)
    const before = old?.status.nominatedNodeName
    if (before && before !== now.status.nominatedNodeName) giveUpNomination(old)
  }
  /** Pods that gave way to this one need not any more. */
  const giveUpNomination = (old: Pod): void =>
    queue.moveAll(assignedPodDelete, old, undefined, (other) => priorityOf(other) <= priorityOf(old))
  /** A pod that will not get a node any more. */
  const dropWaiting = (gone: Pod): void => {
    const { uid } = gone.metadata
    nominator.delete(uid)
    queue.remove(uid)
    const assumed = cache.assumed(uid)
    if (assumed) {
      // One that is held back forgets itself when it is rejected.
      if (!targets.profileOf(gone)?.waitingPods.get(uid)?.reject("", "removed")) cache.removePod(gone)
      queue.moveAll(assignedPodDelete, assumed, undefined)
    } else if (gone.status.nominatedNodeName) giveUpNomination(gone)
    queue.moveAll(eventOf("UnscheduledPod", ActionType.Delete), gone, undefined)
  }
  const set = (now: Pod, old?: Pod): void =>
    now.spec.nodeName ? setAssigned(now, old) : setWaiting(now, old)
  return {
    added: (now) => set(now),
    updated: (now, old) => set(now, old),
    deleted(old) {
      if (!old.spec.nodeName) return dropWaiting(old)
      cache.removePod(old)
      queue.remove(old.metadata.uid)
      if (!isPodTerminal(old)) queue.moveAll(assignedPodDelete, old, undefined)
    },
  }
}
