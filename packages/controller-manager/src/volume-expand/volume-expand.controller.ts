/**
 * Says who is to make a claim's volume larger. No plugin inside does: that is the work of CSI drivers' resizers.
 * Mirrors: pkg/controller/volume/expand
 */
import { persistentVolume, persistentVolumeClaim, type PersistentVolumeClaim } from "@knarr/api"
import { refKey } from "@knarr/apimachinery"
import { allow, type Controller, defineController, perRun, recordEvents } from "@knarr/controller-kit"
import { storageOf } from "@knarr/pod-rules"
import { preResizeCapacity } from "../persistentvolume/bind-steps.ts"
import { migratedDrivers, migratedPluginOf } from "../persistentvolume/migrated-plugins.ts"

const resizerAnnotation = "volume.kubernetes.io/storage-resizer"

/** By claim: the sizes at which it was last said. */
const saidOf = perRun(() => new Map<string, string>())

export const volumeExpandController: Controller = defineController({
  name: "persistentvolume-expander-controller",
  queueName: "volume_expand",
  aliases: ["persistentvolume-expander"],
  serviceAccount: "expand-controller",
  rbac: [
    allow("", "persistentvolumes", "get list patch update watch"),
    allow("", "persistentvolumeclaims/status", "patch update"),
    allow("", "persistentvolumeclaims", "get list watch"),
    recordEvents,
  ],
  for: persistentVolumeClaim,
  reads: [persistentVolume],
  async reconcile(ref, ctx) {
    const { cache, client, recorder, signal } = ctx
    const said = saidOf(ctx)
    const key = refKey(ref)
    const claim = cache.get(persistentVolumeClaim, ref)
    if (claim?.status.phase !== "Bound") return void said.delete(key)
    const volumeName = claim.spec.volumeName ?? ""
    const volume = cache.get(persistentVolume, { name: volumeName })
    if (!volume)
      throw new Error(`failed to get PV "${volumeName}": persistentvolumes "${volumeName}" not found`)
    if (volume.spec.claimRef?.uid !== claim.metadata.uid)
      throw new Error(`persistent Volume is not bound to PVC being updated : ${key}`)
    const isResizing = volume.metadata.annotations?.[preResizeCapacity] !== undefined
    if (!wantsMore(claim) && !isResizing) return void said.delete(key)
    const sizes = `${claim.spec.resources?.requests?.["storage"]} of ${claim.status.capacity?.["storage"]}`
    if (said.get(key) === sizes) return
    said.set(key, sizes)
    const plugin = migratedPluginOf(volume)
    const message =
      plugin === undefined
        ? "waiting for an external controller to expand this PVC"
        : `CSI migration enabled for ${plugin}; waiting for external resizer to expand the pvc`
    recorder.event(claim, "Normal", "ExternalExpanding", message)
    if (plugin === undefined) return
    const resizer = migratedDrivers[plugin]!
    if (claim.metadata.annotations?.[resizerAnnotation] === resizer) return
    const annotations = { [resizerAnnotation]: resizer }
    const patch = { metadata: { annotations, resourceVersion: claim.metadata.resourceVersion } }
    await client.patch(persistentVolumeClaim, ref, "merge", patch, { signal, subresource: "status" })
  },
})

function wantsMore({ spec, status }: Readonly<PersistentVolumeClaim>): boolean {
  return storageOf(spec.resources?.requests).compare(storageOf(status.capacity)) > 0
}
