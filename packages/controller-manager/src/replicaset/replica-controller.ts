/**
 * Keeps a number of identical pods running: what ReplicaSet and ReplicationController share.
 * Mirrors: pkg/controller/replicaset/replica_set.go
 */
import { pod, type Pod, type PodTemplateSpec, type ReplicaSet } from "@knarr/api"
import {
  deepClone,
  isNotFound,
  type Kind,
  type KubeObject,
  objectKey,
  refKey,
  semanticEqual,
} from "@knarr/apimachinery"
import {
  claimObjects,
  Expectations,
  perRun,
  slowStart,
  type Cache,
  type ReconcileContext,
  type ReconcileResult,
} from "@knarr/controller-kit"
import type { Ref } from "@knarr/client"
import { podsToDelete } from "../workload/deletion-order.ts"
import { createPod, deletePod, isNamespaceTerminating, podFromTemplate } from "../workload/pod-control.ts"
import { observePods, type RunContext } from "../workload/pod-expectations.ts"
import { isPodActive, isPodTerminating, nextAvailableMs } from "../workload/pod-state.ts"
import type { Matches } from "../workload/selector.ts"
import { replicaStatus, type ManageOutcome } from "./replica-status.ts"

/** Pods created or deleted in one go. */
const burstReplicas = 500

/** The part of ReplicaSet and ReplicationController that matters here. */
export type Replicated = KubeObject &
  Pick<ReplicaSet, "status"> & {
    spec: {
      replicas?: number | undefined
      minReadySeconds?: number | undefined
      template?: PodTemplateSpec | undefined
    }
  }

export interface ReplicaControllerOptions<T extends Replicated> {
  readonly kind: Kind<T>
  readonly matches: (owner: T) => Matches
  /** The pods that count when ranking: those that share a node with many of them go first. */
  readonly related: (owner: T, cache: Cache) => readonly Pod[]
  readonly countTerminating: boolean
}

export interface ReplicaController {
  reconcile(ref: Ref, ctx: ReconcileContext): Promise<ReconcileResult>
  run(ctx: RunContext): Promise<void>
}

/** Builds `reconcile` and `run` for a kind. */
export function replicaController<T extends Replicated>(
  options: ReplicaControllerOptions<T>,
): ReplicaController {
  const { kind } = options
  const expectationsOf = perRun((ctx) => new Expectations(ctx.clock))
  return {
    async reconcile(ref, ctx) {
      const expectations = expectationsOf(ctx)
      const key = refKey(ref)
      const owner = ctx.cache.get(kind, ref)
      if (!owner) {
        expectations.delete(key)
        return
      }
      const quiet = expectations.satisfied(key)
      const matches = options.matches(owner)
      const candidates = [
        ...ctx.cache.list(pod, { ownedBy: owner }),
        ...ctx.cache.byIndex(pod, "orphans", ref.namespace ?? ""),
      ]
      const claimed = await claimObjects({
        client: ctx.client,
        owner,
        ownerKind: kind,
        kind: pod,
        candidates,
        matches: (obj) => matches(obj.metadata.labels),
        adoptable: isPodActive,
        signal: ctx.signal,
      })
      const activePods = claimed.filter(isPodActive)
      let outcome: ManageOutcome = { missing: (owner.spec.replicas ?? 1) - activePods.length }
      if (quiet && !owner.metadata.deletionTimestamp) {
        outcome = await manage(options, owner, activePods, expectations, ctx)
      }
      const nowMs = ctx.clock.now()
      const status = replicaStatus({
        owner: owner as unknown as ReplicaSet,
        activePods,
        terminatingPods: options.countTerminating ? claimed.filter(isPodTerminating) : undefined,
        outcome,
        nowMs,
      })
      if (!semanticEqual(status, owner.status)) {
        await ctx.client.update(kind, { ...owner, status }, { subresource: "status", signal: ctx.signal })
      }
      if (outcome.error !== undefined) throw outcome.error
      const afterMs = nextAvailableMs(activePods, owner.spec.minReadySeconds ?? 0, nowMs)
      return afterMs === undefined ? undefined : { afterMs }
    },

    run: (ctx) => observePods(ctx, kind, expectationsOf(ctx)),
  }
}

async function manage<T extends Replicated>(
  options: ReplicaControllerOptions<T>,
  owner: T,
  pods: readonly Pod[],
  expectations: Expectations,
  ctx: ReconcileContext,
): Promise<ManageOutcome> {
  const key = objectKey(owner)
  const missing = (owner.spec.replicas ?? 1) - pods.length
  if (missing > 0) {
    const count = Math.min(missing, burstReplicas)
    const template = owner.spec.template ?? { metadata: {}, spec: { containers: [] } }
    expectations.expect(key, count)
    const { successes, error } = await slowStart(count, async () => {
      try {
        await createPod(ctx, deepClone(podFromTemplate(template, owner, options.kind)), owner)
      } catch (thrown) {
        // Creating cannot succeed any more and nobody is waiting for it.
        if (!isNamespaceTerminating(thrown)) throw thrown
        expectations.creationObserved(key)
      }
    })
    for (let i = successes; i < count; i++) expectations.creationObserved(key)
    return { missing, error }
  }
  if (missing === 0) return { missing }
  const count = Math.min(-missing, burstReplicas)
  const victims = podsToDelete(pods, count, rankBy(options.related(owner, ctx.cache)), ctx.clock.now())
  expectations.expect(
    key,
    0,
    victims.map((victim) => victim.metadata.uid),
  )
  const results = await Promise.allSettled(
    victims.map(async (victim) => {
      try {
        await deletePod(ctx, victim, owner)
      } catch (thrown) {
        expectations.deletionObserved(key, victim.metadata.uid)
        if (!isNotFound(thrown)) throw thrown
      }
    }),
  )
  const failed = results.find((result) => result.status === "rejected")
  return { missing, error: failed?.reason }
}

/** How many of the active pods are on the same node. */
function rankBy(related: readonly Pod[]): (pod: Pod) => number {
  const perNode = new Map<string, number>()
  for (const { spec } of related.filter(isPodActive)) {
    if (spec.nodeName) perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1)
  }
  return ({ spec }) => perNode.get(spec.nodeName ?? "") ?? 0
}
