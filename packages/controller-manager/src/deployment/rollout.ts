/** From one revision to the next. Mirrors: pkg/controller/deployment/{sync,rolling,recreate}.go */
import { deployment, pod, replicaSet, type DeploymentStatus, type ReplicaSet } from "@knarr/api"
import { deepClone, isNotFound, refOf, semanticEqual } from "@knarr/apimachinery"
import { type ReconcileResult } from "@knarr/controller-kit"
import { isPodTerminal } from "../workload/pod-state.ts"
import { withReplicas } from "./annotations.ts"
import {
  byCreation,
  intAnnotation,
  desiredReplicasAnnotation,
  isRolling,
  isSaturated,
  newReplicaSetSize,
  proportionalSizes,
  replicasOf,
  shrinkOld,
  surplusHistory,
} from "./arithmetic.ts"
import { calculateStatus, isComplete, progressCheckMs, rolloutStatus } from "./conditions.ts"
import { revisionsOf, scaleSet, type Revisions, type Sync } from "./revisions.ts"

const active = (sets: readonly ReplicaSet[]): ReplicaSet[] => sets.filter((set) => replicasOf(set) > 0)

async function resize(sync: Sync, set: ReplicaSet, size: number): Promise<boolean> {
  return scaleSet(sync, set, size, (one) => ({ ...withReplicas(one.metadata.annotations ?? {}, sync.d) }))
}

async function resizeIfDifferent(sync: Sync, set: ReplicaSet, size: number): Promise<boolean> {
  return replicasOf(set) === size ? false : resize(sync, set, size)
}

/** True when the deployment's own size changed since its revisions were last scaled. */
export function isScalingEvent({ d, sets }: Sync): boolean {
  return active(sets).some((set) => {
    const desired = intAnnotation(set, desiredReplicasAnnotation)
    return desired !== undefined && desired !== replicasOf(d)
  })
}

/** Brings sizes in line without rolling out: while paused, and after the deployment was scaled. */
export async function syncSizes(sync: Sync): Promise<ReconcileResult> {
  const revisions = await revisionsOf(sync, false)
  await scale(sync, revisions)
  if (sync.d.spec.paused) await cleanUp(sync, revisions)
  await writeStatus(sync, calculateStatus(sync.d, revisions.all, revisions.newSet, sync.ctx.clock.now()))
}

/** Only reports; for deployments that are being deleted. */
export async function syncStatusOnly(sync: Sync): Promise<ReconcileResult> {
  const revisions = await revisionsOf(sync, false)
  await writeStatus(sync, calculateStatus(sync.d, revisions.all, revisions.newSet, sync.ctx.clock.now()))
}

async function scale(sync: Sync, { newSet, old, all }: Revisions): Promise<void> {
  const { d } = sync
  const only = activeOrLatest(newSet, old, all)
  if (only) {
    await resizeIfDifferent(sync, only, replicasOf(d))
    return
  }
  if (isSaturated(d, newSet)) {
    for (const set of active(old)) await resize(sync, set, 0)
    return
  }
  if (!isRolling(d)) return
  for (const { set, size } of proportionalSizes(d, active(all))) await resize(sync, set, size)
}

function activeOrLatest(
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  all: readonly ReplicaSet[],
): ReplicaSet | undefined {
  const running = active(all)
  if (running.length > 1) return undefined
  return running[0] ?? newSet ?? [...old].sort(byCreation).at(-1)
}

export async function rollOut(sync: Sync): Promise<ReconcileResult> {
  const revisions = await revisionsOf(sync, true)
  const { newSet, old, all } = revisions
  const { d } = sync
  if (newSet && replicasOf(newSet) !== replicasOf(d)) {
    const size =
      replicasOf(newSet) > replicasOf(d) ? replicasOf(d) : newReplicaSetSize(d, all, replicasOf(newSet))
    if (await resizeIfDifferent(sync, newSet, size)) return syncRollout(sync, revisions)
  }
  const shrinking = shrinkOld(d, all, active(old), newSet)
  for (const { set, size } of shrinking) await resize(sync, set, size)
  if (shrinking.length > 0) return syncRollout(sync, revisions)
  if (isComplete(d, d.status ?? {})) await cleanUp(sync, revisions)
  return syncRollout(sync, revisions)
}

export async function recreate(sync: Sync): Promise<ReconcileResult> {
  let revisions = await revisionsOf(sync, false)
  let stopped = false
  for (const set of active(revisions.old)) {
    await resize(sync, set, 0)
    stopped = true
  }
  if (stopped || oldPodsRun(sync, revisions)) return syncRollout(sync, revisions)
  if (!revisions.newSet) revisions = await revisionsOf(sync, true)
  if (revisions.newSet) await resizeIfDifferent(sync, revisions.newSet, replicasOf(sync.d))
  if (isComplete(sync.d, sync.d.status ?? {})) await cleanUp(sync, revisions)
  return syncRollout(sync, revisions)
}

function oldPodsRun({ ctx }: Sync, { old }: Revisions): boolean {
  return old.some((set) => ctx.cache.list(pod, { ownedBy: set }).some((one) => !isPodTerminal(one)))
}

async function cleanUp(sync: Sync, { old }: Revisions): Promise<void> {
  const { ctx } = sync
  for (const set of surplusHistory(sync.d, old)) {
    try {
      await ctx.client.delete(replicaSet, refOf(set), { signal: ctx.signal })
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
  }
}

async function syncRollout(sync: Sync, { newSet, all }: Revisions): Promise<ReconcileResult> {
  const nowMs = sync.ctx.clock.now()
  const status = rolloutStatus(sync.d, all, newSet, nowMs)
  if (await writeStatus(sync, status)) return undefined
  const afterMs = progressCheckMs(sync.d, status, nowMs)
  return afterMs === undefined ? undefined : { afterMs }
}

async function writeStatus(sync: Sync, status: DeploymentStatus): Promise<boolean> {
  if (semanticEqual(status, sync.d.status)) return false
  const next = { ...deepClone(sync.d), status }
  sync.d = await sync.ctx.client.update(deployment, next, { subresource: "status", signal: sync.ctx.signal })
  return true
}
