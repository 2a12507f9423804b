/** Performs what is planned about a volume. Mirrors: pkg/controller/volume/persistentvolume/pv_controller.go (syncVolume) */
import { persistentVolumeClaim, storageClass } from "@knarr/api"
import { isNotFound } from "@knarr/apimachinery"
import type { ReconcileResult } from "@knarr/controller-kit"
import { storageClassNameOf } from "@knarr/pod-rules"
import { unbindStep, volumePhaseStep } from "./bind-steps.ts"
import { type BinderState, type ReadonlyClaim, type ReadonlyVolume } from "./binder-state.ts"
import { failVolume } from "./fail-volume.ts"
import { recycle } from "./recycle.ts"
import { isReleased, planMetadata, planReclaim, planVolume } from "./volume-plan.ts"

export async function syncVolume(name: string, state: BinderState): Promise<ReconcileResult> {
  const seen = state.volumes.get(state.ctx.cache, { name })
  if (!seen) {
    state.recyclers.end(name)
    return state.operations.end(name)
  }
  const volume = await withMetadata(seen, state)
  const plan = planVolume(volume, await claimOf(volume, state))
  switch (plan.do) {
    case "leave":
      return
    case "set phase":
      await state.perform(volume, undefined, (one) => volumePhaseStep(one, plan.phase))
      return
    case "report mismatch": {
      const { claim } = plan
      const because = "due to incompatible volumeMode."
      state.record(volume, {
        type: "Warning",
        reason: "VolumeMismatch",
        message: `Cannot bind PersistentVolume to requested PersistentVolumeClaim "${claim.metadata.name}" ${because}`,
      })
      state.record(claim, {
        type: "Warning",
        reason: "VolumeMismatch",
        message: `Cannot bind PersistentVolume "${name}" to requested PersistentVolumeClaim ${because}`,
      })
      return state.resync
    }
    case "unbind":
      await state.perform(volume, undefined, unbindStep)
      return
    case "reclaim": {
      const say = isReleased(volume) ? undefined : volumePhaseStep(volume, "Released")
      return reclaim(say && "volume" in say ? await state.writeVolume(say.volume, say.status) : volume, state)
    }
  }
}

async function withMetadata(volume: ReadonlyVolume, state: BinderState): Promise<ReadonlyVolume> {
  const plan = planMetadata(volume)
  if (!plan) return volume
  const { annotations = volume.metadata.annotations, finalizers = volume.metadata.finalizers } = plan
  const metadata = { ...volume.metadata, annotations, finalizers: finalizers && [...finalizers] }
  return state.writeVolume({ ...volume, metadata }, false)
}

/**
 * The claim that the volume names, undefined when it is gone. What the informer does not have, or has of another uid, may be newer
 * than it is: the API is asked before a volume is taken for nobody's.
 */
async function claimOf(volume: ReadonlyVolume, state: BinderState): Promise<ReadonlyClaim | undefined> {
  const ref = volume.spec.claimRef
  if (!ref?.uid) return undefined
  const { cache, client, signal } = state.ctx
  const key = { namespace: ref.namespace, name: ref.name ?? "" }
  let claim = state.claims.get(cache, key)
  if (!claim && isReleased(volume)) return undefined
  if (claim?.metadata.uid !== ref.uid) {
    try {
      claim = await client.get(persistentVolumeClaim, key, { signal })
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
      return undefined
    }
  }
  return claim?.metadata.uid === ref.uid ? claim : undefined
}

async function reclaim(volume: ReadonlyVolume, state: BinderState): Promise<ReconcileResult> {
  const plan = planReclaim(volume)
  const { name } = volume.metadata
  if (plan.do === "recycle") return recycle(volume, state)
  if (volume.spec.persistentVolumeReclaimPolicy === "Delete") {
    const className = storageClassNameOf(volume)
    const provisioner = state.ctx.cache.get(storageClass, { name: className })?.provisioner ?? "N/A"
    state.operations.begin(name, plan.do === "fail" ? "N/A" : provisioner, "delete")
    if (plan.do === "fail") state.operations.failed(name)
  }
  if (plan.do === "leave") return
  await failVolume(volume, plan.reason, plan.message, state)
  return state.resync
}
