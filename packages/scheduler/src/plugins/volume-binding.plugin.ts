/**
 * Nodes on which the pod's claims have volumes or can get them; the pod is bound once they have. The volumes are
 * chosen with the node, and nobody else gets them meanwhile. Mirrors: plugins/volumebinding
 */
import {
  csiDriver,
  csiStorageCapacity,
  node as nodeKind,
  persistentVolume,
  persistentVolumeClaim,
  pod as podKind,
  storageClass,
  type CSIDriver,
  type CSIStorageCapacity,
  type PersistentVolumeClaim,
  type Pod,
  type StorageClass,
} from "@knarr/api"
import { field } from "@knarr/apimachinery"
import {
  bindVolumeToClaim,
  storageClassNameOf,
  storageOf,
  volumeAnnotations,
  waitsForFirstConsumer,
} from "@knarr/pod-rules"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { stateKey } from "../framework/cycle-state.ts"
import { definePlugin, type Handle, type SchedulerPlugin } from "../framework/plugin.ts"
import { skip, unresolvable } from "../framework/status.ts"
import { SchedulerMetrics } from "../metrics.ts"
import { Assumed } from "../volumes/assumed.ts"
import { bindVolumes, isFullyBound, type BindContext, type PlannedVolumes } from "../volumes/bind-volumes.ts"
import { afterClaimChange, claimsOf, ownershipProblem } from "../volumes/pod-claims.ts"
import {
  findVolumes,
  volumeLimit,
  type ClaimsOfPod,
  type NodeVolumes,
  type StorageFacts,
} from "../volumes/volume-search.ts"
import { resourceTables, shapeErrors, shapeScore, type ShapePoint } from "./resource-scores.ts"

export interface VolumeBindingArgs {
  /** How long a pod with its node waits for its volumes, in seconds. Default 600. */
  readonly bindTimeoutSeconds: number
  /** How good it is when so much of a class' storage is used. Default: the less, the better. */
  readonly shape: readonly ShapePoint[]
}

interface VolumeState {
  readonly claims: ClaimsOfPod
  /** Of the nodes that can serve the claims. */
  readonly byNode: Map<string, NodeVolumes>
  /** What is reserved. */
  planned: PlannedVolumes | undefined
}

const volumeState = stateKey<VolumeState>("VolumeBinding")
const classIndex = "storage-class"
const unbound = unresolvable("pod has unbound immediate PersistentVolumeClaims")

const defaultShape: readonly ShapePoint[] = [
  { utilization: 0, score: 10 },
  { utilization: 100, score: 0 },
]

export const volumeBinding = definePlugin<VolumeBindingArgs>({
  name: "VolumeBinding",
  defaultArgs: {
    bindTimeoutSeconds: 600,
    shape: defaultShape,
  },
  argsTable: {
    ...resourceTables,
    VolumeBindingArgs: {
      apiVersion: "string",
      bindTimeoutSeconds: "int64",
      kind: "string",
      shape: "[]UtilizationShapePoint",
    },
  },
  completeArgs: (args) => (args.shape.length > 0 ? args : { ...args, shape: defaultShape }),
  validateArgs: ({ bindTimeoutSeconds: timeout, shape }, path) => [
    ...(timeout < 0
      ? [
          field.invalid(
            field.child(path, "bindTimeoutSeconds"),
            timeout,
            "invalid BindTimeoutSeconds, should not be a negative value",
          ),
        ]
      : []),
    ...shapeErrors(shape, field.child(path, "shape")),
  ],
  create: (handle, args) => createVolumeBinding(handle, args),
})

function createVolumeBinding(handle: Handle, args: Readonly<VolumeBindingArgs>): SchedulerPlugin {
  const { informers, client, env } = handle
  const metrics = new SchedulerMetrics(env)
  const volumes = informers.informer(persistentVolume)
  const claims = informers.informer(persistentVolumeClaim)
  const classes = informers.informer(storageClass)
  const drivers = informers.informer(csiDriver)
  const capacities = informers.informer(csiStorageCapacity)
  volumes.addIndex(classIndex, (volume) => [storageClassNameOf(volume)])
  const assumedVolumes = new Assumed(volumes)
  const assumedClaims = new Assumed(claims)
  const context: BindContext = {
    ...{ client, clock: env.clock, claims, volumes, assumedClaims, assumedVolumes },
    pods: informers.informer(podKind),
    nodes: informers.informer(nodeKind),
    timeoutMs: args.bindTimeoutSeconds * 1000,
  }
  const facts: StorageFacts = {
    classOf: (name) => classes.get({ name }),
    driverOf: (name) => drivers.get({ name }),
    capacities: () => capacities.list(),
  }
  const scoreOfUse = shapeScore(args.shape)

  /** Why the pod can go nowhere: a claim that is missing, lost, going or another's. */
  const problemOf = (pod: Readonly<Pod>): string | undefined => {
    for (const { name, isEphemeral } of claimsOf(pod)) {
      const claim = claims.get({ namespace: pod.metadata.namespace!, name })
      const quoted = JSON.stringify(name)
      if (!claim)
        return isEphemeral
          ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${quoted}`
          : `persistentvolumeclaim ${quoted} not found`
      if (claim.status?.phase === "Lost") {
        const volume = JSON.stringify(claim.spec.volumeName ?? "")
        return `persistentvolumeclaim ${quoted} bound to non-existent persistentvolume ${volume}`
      }
      if (claim.metadata.deletionTimestamp) return `persistentvolumeclaim ${quoted} is being deleted`
      const problem = isEphemeral ? ownershipProblem(pod, claim) : undefined
      if (problem) return problem
    }
    return undefined
  }

  /** Undefined when a claim should have its volume by now. */
  const sortClaims = (pod: Readonly<Pod>): ClaimsOfPod | undefined => {
    const bound: ClaimsOfPod["bound"][number][] = []
    const waiting: Readonly<PersistentVolumeClaim>[] = []
    for (const { name } of claimsOf(pod)) {
      const claim = assumedClaims.get({ namespace: pod.metadata.namespace!, name })!
      if (isFullyBound(claim)) bound.push(assumedVolumes.get({ name: claim.spec.volumeName! }))
      else if (!claim.spec.volumeName && waitsForFirstConsumer(facts.classOf(storageClassNameOf(claim))))
        waiting.push(claim)
      else return undefined
    }
    const sizeOf = ({ spec }: Readonly<PersistentVolumeClaim>) => storageOf(spec.resources?.requests)
    waiting.sort((a, b) => sizeOf(a).compare(sizeOf(b)))
    const names = new Set(waiting.map(storageClassNameOf))
    const available = new Map([...names].map((name) => [name, assumedVolumes.byIndex(classIndex, name)]))
    return { bound, waiting, available }
  }

  return {
    eventsToRegister: () => [
      onEvent<StorageClass>(
        "storage.k8s.io/StorageClass",
        ActionType.Add | ActionType.Update,
        (_pod, old, now) =>
          old && JSON.stringify(old.allowedTopologies) === JSON.stringify(now!.allowedTopologies)
            ? "QueueSkip"
            : "Queue",
      ),
      onEvent("PersistentVolumeClaim", ActionType.Add | ActionType.Update, afterClaimChange),
      onEvent("PersistentVolume", ActionType.Add | ActionType.Update),
      onEvent("Node", ActionType.Add | ActionType.UpdateNodeLabel),
      onEvent<CSIDriver>("storage.k8s.io/CSIDriver", ActionType.Update, (_pod, old, now) =>
        old!.spec.storageCapacity && !now!.spec.storageCapacity ? "Queue" : "QueueSkip",
      ),
      onEvent<CSIStorageCapacity>(
        "storage.k8s.io/CSIStorageCapacity",
        ActionType.Add | ActionType.Update,
        (_pod, old, now) => {
          if (!old) return "Queue"
          const [before, limit] = [volumeLimit(old), volumeLimit(now!)]
          return limit && (!before || limit.compare(before) > 0) ? "Queue" : "QueueSkip"
        },
      ),
    ],

    preFilter(state, pod) {
      if (claimsOf(pod).length === 0) return skip
      const problem = problemOf(pod)
      if (problem !== undefined) return unresolvable(problem)
      const sorted = sortClaims(pod)
      if (!sorted) return unbound
      state.write(volumeState, { claims: sorted, byNode: new Map(), planned: undefined })
      return undefined
    },

    filter(state, _pod, { name, node }) {
      const { claims: ofPod, byNode } = state.read(volumeState)
      try {
        const found = findVolumes(ofPod, node, facts)
        if (Array.isArray(found)) return unresolvable(...found)
        byNode.set(name, found)
        return undefined
      } catch (thrown) {
        metrics.volumeStageFailed("predicate")
        throw thrown
      }
    },

    preScore: (state) => (state.find(volumeState) ? undefined : skip),
    score(state, _pod, { name }) {
      const found = state.find(volumeState)?.byNode.get(name)
      return found ? scoreOfVolumes(found, scoreOfUse) : 0
    },

    reserve(state, _pod, nodeName) {
      const own = state.find(volumeState)
      const found = own?.byNode.get(nodeName)
      if (!own || !found || own.claims.waiting.length === 0) return undefined
      const bindings = found.bindings.map(({ claim, volume }) => {
        const { volume: bound, dirty } = bindVolumeToClaim(volume, claim)
        if (dirty) assumedVolumes.assume(bound)
        return { claim, volume: bound }
      })
      const provisioned = found.provisions.map(({ claim }) => {
        const { metadata } = claim
        const annotations = { ...metadata.annotations, [volumeAnnotations.selectedNode]: nodeName }
        const marked: Readonly<PersistentVolumeClaim> = { ...claim, metadata: { ...metadata, annotations } }
        assumedClaims.assume(marked)
        return marked
      })
      own.planned = { bindings, claims: provisioned }
      return undefined
    },
    unreserve(state) {
      const planned = state.find(volumeState)?.planned
      for (const { volume } of planned?.bindings ?? []) assumedVolumes.restore(volume)
      for (const claim of planned?.claims ?? []) assumedClaims.restore(claim)
    },

    preBindPreFlight: (state) => (state.find(volumeState)?.planned ? undefined : skip),
    async preBind(state, pod, nodeName, signal) {
      const { planned } = state.read(volumeState)
      try {
        await bindVolumes(context, pod, nodeName, planned!, signal)
      } catch (thrown) {
        metrics.volumeStageFailed("bind")
        throw thrown
      }
      // All of it is what the informers say by now.
      for (const { volume } of planned!.bindings) assumedVolumes.restore(volume)
      for (const claim of planned!.claims) assumedClaims.restore(claim)
      return undefined
    },
  }
}

/** By class: how much of what is there is asked for. */
function scoreOfVolumes(
  { bindings, provisions }: NodeVolumes,
  scoreOfUse: (used: number, all: number) => number,
): number {
  const classes = new Map<string, { wanted: number; all: number }>()
  const of = (name: string): { wanted: number; all: number } => {
    const sums = classes.get(name) ?? { wanted: 0, all: 0 }
    classes.set(name, sums)
    return sums
  }
  for (const { claim, volume } of bindings) {
    const sums = of(volume.spec.storageClassName ?? "")
    sums.wanted += storageOf(claim.spec.resources?.requests).value()
    sums.all += storageOf(volume.spec.capacity).value()
  }
  if (bindings.length === 0)
    for (const { claim, capacity } of provisions) {
      if (!capacity) continue
      const sums = of(storageClassNameOf(claim))
      sums.wanted += storageOf(claim.spec.resources?.requests).value()
      // Several claims are served out of one pool.
      sums.all = storageOf({ storage: capacity.capacity ?? "0" }).value()
    }
  if (classes.size === 0) return 0
  const total = classes.values().reduce((sum, { wanted, all }) => sum + scoreOfUse(wanted, all), 0)
  return Math.round(total / classes.size)
}
