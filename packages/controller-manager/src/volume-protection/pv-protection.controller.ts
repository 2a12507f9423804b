/** Keeps a volume until no claim is bound to it any more. Mirrors: pkg/controller/volume/pvprotection */
import { persistentVolume } from "@knarr/api"
import { defineController, type Controller } from "@knarr/controller-kit"
import { withFinalizer, withoutFinalizer } from "./finalizer.ts"

const finalizer = "kubernetes.io/pv-protection"

export const pvProtectionController: Controller = defineController({
  name: "persistentvolume-protection-controller",
  queueName: "pvprotection",
  aliases: ["pv-protection"],
  serviceAccount: "pv-protection-controller",
  rbac: [{ apiGroups: [""], resources: ["persistentvolumes"], verbs: ["get", "list", "update", "watch"] }],
  for: persistentVolume,
  async reconcile(ref, { cache, client, signal }) {
    const volume = cache.get(persistentVolume, ref)
    if (!volume) return
    const isKept = volume.metadata.finalizers?.includes(finalizer) ?? false
    if (!volume.metadata.deletionTimestamp) {
      if (!isKept) await client.update(persistentVolume, withFinalizer(volume, finalizer), { signal })
      return
    }
    if (!isKept || volume.status.phase === "Bound") return
    await client.update(persistentVolume, withoutFinalizer(volume, finalizer), { signal })
  },
})
