/** Notices nodes that fall silent, taints them and marks their pods. Mirrors: pkg/controller/nodelifecycle/node_lifecycle_controller.go */
import { lease, node, pod, type Lease, type Node, type Pod } from "@knarr/api"
import { formatTime, isNotFound, refOf, semanticEqual } from "@knarr/apimachinery"
import {
  allow,
  defineController,
  perRun,
  recordEvents,
  untilAborted,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { podNodeIndex } from "../workload/pod-indexes.ts"
import { podCondition } from "../workload/pod-state.ts"
import { EvictionLimiter } from "./eviction-limiter.ts"
import {
  conditionOf,
  evictionRate,
  needsEviction,
  observe,
  readyStatus,
  silentConditions,
  taintsFor,
  zoneOf,
  zonesOf,
  type Zone,
  type EvictionRates,
  type NodeHealth,
} from "./node-health.ts"

const leaseNamespace = "kube-node-lease"

export interface NodeLifecycleOptions {
  /** A node that shows no sign of life for so long is not ready. Default 50,000. */
  readonly monitorGracePeriodMs?: number
  /** The same for a node that has never posted a status. Default 60,000. */
  readonly startupGracePeriodMs?: number
  /** Nodes per second and zone whose pods are evicted. Default 0.1. */
  readonly evictionRate?: number
  /** In a large zone of which most nodes are not ready. Default 0.01. */
  readonly secondaryEvictionRate?: number
  /** A zone with more nodes is large. Default 50. */
  readonly largeClusterSizeThreshold?: number
}

export function createNodeLifecycleController(options: NodeLifecycleOptions = {}): Controller {
  const monitorMs = options.monitorGracePeriodMs ?? 50_000
  const startupMs = options.startupGracePeriodMs ?? 60_000
  const rates: EvictionRates = {
    perSecond: options.evictionRate ?? 0.1,
    secondaryPerSecond: options.secondaryEvictionRate ?? 0.01,
    largeClusterSize: options.largeClusterSizeThreshold ?? 50,
  }
  const stateOf = perRun(() => new RunState())
  return defineController<Node>({
    name: "node-lifecycle-controller",
    queueName: "node_lifecycle_controller",
    aliases: ["nodelifecycle"],
    serviceAccount: "node-controller",
    rbac: [
      allow("", "nodes", "get list watch update patch delete"),
      allow("", "nodes/status", "patch update"),
      allow("", "pods/status", "patch update"),
      allow("", "pods", "get list watch delete"),
      allow("coordination.k8s.io", "leases", "get list watch"),
      recordEvents,
    ],
    for: node,
    watches: [
      {
        kind: lease,
        map: ({ metadata }: Lease) =>
          metadata.namespace === leaseNamespace ? [{ name: metadata.name }] : [],
      },
    ],
    reads: [pod],
    indexes: [podNodeIndex],
    async reconcile({ name }, ctx) {
      const state = stateOf(ctx)
      const { health, limiter } = state
      let current = ctx.cache.get(node, { name })
      if (!current) {
        if (health.delete(name))
          nodeEvent(ctx, { name, uid: "" }, "RemovingNode", `Removing Node ${name} from Controller`)
        return undefined
      }
      const nowMs = ctx.clock.now()
      const known = health.get(name)
      if (!known) nodeEvent(ctx, current.metadata, "RegisteredNode", `Registered Node ${name} in Controller`)
      const seen = observe(known, current, ctx.cache.get(lease, { namespace: leaseNamespace, name }), nowMs)
      health.set(name, seen)
      const graceMs = conditionOf(current, "Ready") ? monitorMs : startupMs
      let afterMs = seen.probeMs + graceMs - nowMs
      if (afterMs < 0) {
        const conditions = silentConditions(current, nowMs)
        if (!semanticEqual(conditions, current.status?.conditions)) {
          const status = { ...current.status, conditions }
          current = await ctx.client.update(
            node,
            { ...current, status },
            { subresource: "status", signal: ctx.signal },
          )
          seen.heartbeat = conditionOf(current, "Ready")?.lastHeartbeatTime
        }
        afterMs = Infinity
      }
      if (conditionOf(current, "Ready") && readyStatus(current) !== "True")
        await markPodsNotReady(current, ctx)
      const zones = state.zones(() => ctx.cache.list(node))
      const rate = evictionRate(zones.get(zoneOf(current)), zones, rates)
      const calm = [...zones.values()].every(({ state }) => state === "FullDisruption")
      let mayEvict = false
      if (needsEviction(current) && !calm) {
        const waitMs = limiter.take(zoneOf(current), name, rate, nowMs)
        mayEvict = waitMs === 0
        if (!mayEvict) afterMs = Math.min(afterMs, waitMs)
      }
      const taints = taintsFor(current, { mayEvict, calm }, nowMs)
      if (taints !== (current.spec?.taints ?? []) && !semanticEqual(taints, current.spec?.taints)) {
        const { resourceVersion } = current.metadata
        const body = { metadata: { resourceVersion }, spec: { taints: taints.length > 0 ? taints : null } }
        await ctx.client.patch(node, { name }, "merge", body, { signal: ctx.signal })
      }
      return afterMs === Infinity ? undefined : { afterMs: Math.max(afterMs, 0) + 1 }
    },
    async run(ctx) {
      const nodes = ctx.informer(node)
      const all = (): void => {
        for (const one of nodes.list()) ctx.enqueue(refOf(one))
      }
      const state = stateOf(ctx)
      // Whether anybody is evicted depends on how the other nodes are.
      using _subscription = nodes.subscribe({
        added: () => state.forgetZones(),
        updated(obj, old) {
          const isOther = readyStatus(obj) !== readyStatus(old)
          if (isOther || zoneOf(obj) !== zoneOf(old)) state.forgetZones()
          if (isOther) all()
        },
        deleted() {
          state.forgetZones()
          all()
        },
      })
      state.followsNodes = true
      await untilAborted(ctx.signal)
    },
  })
}

class RunState {
  readonly health = new Map<string, NodeHealth>()
  readonly limiter = new EvictionLimiter()
  /** Somebody calls {@link RunState.forgetZones} whenever a node makes another zone of one. */
  followsNodes = false
  #zones: ReadonlyMap<string, Zone> | undefined

  /** Counted anew only after a change: every renewal of a lease asks, and there are as many as nodes. */
  zones(list: () => readonly Node[]): ReadonlyMap<string, Zone> {
    const zones = this.#zones ?? zonesOf(list())
    if (this.followsNodes) this.#zones = zones
    return zones
  }

  forgetZones(): void {
    this.#zones = undefined
  }
}

function nodeEvent(
  ctx: ReconcileContext,
  subject: { name: string; uid: string },
  reason: string,
  what: string,
): void {
  const about = { apiVersion: "v1", kind: "Node", metadata: { name: subject.name, uid: subject.uid } }
  ctx.recorder.event(about, "Normal", reason, `Node ${subject.name} event: ${what}`)
}

/** Pods on a node that is not ready are not ready either: services stop sending to them. */
async function markPodsNotReady(current: Node, ctx: ReconcileContext): Promise<void> {
  const { client, signal, recorder, clock } = ctx
  const ready = ctx.cache
    .byIndex(pod, podNodeIndex.name, current.metadata.name)
    .filter((one) => podCondition(one, "Ready")?.status === "True")
  if (ready.length === 0) return
  recorder.event(
    current,
    "Normal",
    "NodeNotReady",
    `Node ${current.metadata.name} status is now: NodeNotReady`,
  )
  for (const one of [...ready].sort(byName)) {
    const lastTransitionTime = formatTime(clock.now())
    const conditions = [{ ...podCondition(one, "Ready"), status: "False", lastTransitionTime }]
    try {
      const body = { metadata: { uid: one.metadata.uid }, status: { conditions } }
      await client.patch(pod, refOf(one), "strategic", body, { subresource: "status", signal })
    } catch (thrown) {
      if (isNotFound(thrown)) continue
      throw thrown
    }
    recorder.event(one, "Warning", "NodeNotReady", "Node is not ready")
  }
}

function byName(a: Pod, b: Pod): number {
  return `${a.metadata.namespace}/${a.metadata.name}` < `${b.metadata.namespace}/${b.metadata.name}` ? -1 : 1
}
