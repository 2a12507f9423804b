/**
 * Recycles a volume that nobody claims any more: a pod empties it, and it is available again. Each call is one look at the pod.
 * Mirrors: pkg/controller/volume/persistentvolume/pv_controller.go (recycleVolumeOperation), pkg/volume/util/recyclerclient
 */
import { persistentVolumeClaim, pod, type Creatable, type Pod } from "@knarr/api"
import { isAlreadyExists, isNotFound } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { ReconcileResult } from "@knarr/controller-kit"
import { unbindStep } from "./bind-steps.ts"
import { type BinderState, type ReadonlyVolume } from "./binder-state.ts"
import { failVolume } from "./fail-volume.ts"
import { podClaimIndex } from "../workload/pod-indexes.ts"
import { hasLetGoOfVolumes } from "../workload/pod-state.ts"
import { recyclerName, recyclerNamespace, recyclerPod } from "./recycler-pod.ts"

const reason = "VolumeFailedRecycle"

export async function recycle(volume: ReadonlyVolume, state: BinderState): Promise<ReconcileResult> {
  const { cache } = state.ctx
  const { name } = volume.metadata
  const { namespace, name: claimName } = volume.spec.claimRef!
  const users = cache
    .byIndex(pod, podClaimIndex.name, `${namespace}/${claimName}`)
    .filter((one) => !hasLetGoOfVolumes(one))
    .map((one) => `${one.metadata.namespace}/${one.metadata.name}`)
  // A claim of this name is a newer one, and has another volume: its pods do not use this one.
  if (users.length > 0 && !cache.get(persistentVolumeClaim, { namespace, name: claimName! })) {
    const message = `Volume is used by pods: ${users.sort().join(",")}`
    state.record(volume, { type: "Normal", reason, message })
    return state.resync
  }
  const template = recyclerPod(volume, state.options)
  if (!template) {
    await failVolume(volume, reason, "No recycler plugin found for the volume!", state)
    return state.resync
  }
  const uid = state.recyclers.uidOf(name)
  const outcome = uid === undefined ? await start(volume, template, state) : await look(name, uid, state)
  if (outcome === "running") return
  if (outcome !== "done") {
    await failVolume(volume, reason, `Recycle failed: ${outcome.error}`, state)
    return state.resync
  }
  state.record(volume, { type: "Normal", reason: "VolumeRecycled", message: "Volume recycled" })
  await state.perform(volume, undefined, unbindStep)
}

type Outcome = "running" | "done" | { readonly error: string }

/** A pod that is there already may be anybody's, and its success mean nothing. */
async function start(volume: ReadonlyVolume, template: Creatable<Pod>, state: BinderState): Promise<Outcome> {
  const { client, signal } = state.ctx
  const { name } = volume.metadata
  try {
    const created = await client.create(pod, template, { signal })
    state.recyclers.begin(name, created, ({ type, message }) =>
      state.record(volume, {
        type: type === "Warning" ? "Warning" : "Normal",
        reason: "RecyclerPod",
        message: `Recycler pod: ${message ?? ""}`,
      }),
    )
    return "running"
  } catch (thrown) {
    if (!isAlreadyExists(thrown))
      return { error: `unexpected error creating recycler pod:  ${messageOf(thrown)}` }
    await remove(name, state)
    return { error: "old recycler pod found, will retry later" }
  }
}

async function look(name: string, uid: string, state: BinderState): Promise<Outcome> {
  const { cache, client, signal } = state.ctx
  const ref = { namespace: recyclerNamespace, name: recyclerName(name) }
  const seen = cache.get(pod, ref)
  const found =
    seen?.metadata.uid === uid
      ? seen
      : await client.get(pod, ref, { signal }).catch((thrown: unknown) => {
          if (isNotFound(thrown)) return undefined
          throw thrown
        })
  const phase = found?.metadata.uid === uid ? found.status.phase : "Deleted"
  if (phase === "Pending" || phase === "Running") return "running"
  state.recyclers.end(name)
  if (phase === "Deleted") return { error: "failed to recycle volume: recycler pod was deleted" }
  await remove(name, state)
  if (phase === "Succeeded") return "done"
  const message = found!.status.message || "pod failed, pod.Status.Message unknown"
  return { error: `failed to recycle volume: ${message}` }
}

async function remove(name: string, { ctx: { client, signal } }: BinderState): Promise<void> {
  try {
    await client.delete(pod, { namespace: recyclerNamespace, name: recyclerName(name) }, { signal })
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
}
