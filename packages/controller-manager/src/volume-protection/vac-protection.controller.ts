/** Keeps a volume attributes class until no claim and no volume names it any more. Mirrors: pkg/controller/volume/vacprotection */
import { persistentVolume, persistentVolumeClaim, volumeAttributesClass } from "@knarr/api"
import type { PersistentVolume, PersistentVolumeClaim } from "@knarr/api"
import { defineController, type Controller } from "@knarr/controller-kit"
import { withoutFinalizer } from "./finalizer.ts"

const finalizer = "kubernetes.io/vac-protection"
const classIndex = "attributesClass"

export const vacProtectionController: Controller = defineController({
  name: "volumeattributesclass-protection-controller",
  queueName: "vacprotection",
  serviceAccount: "volumeattributesclass-protection-controller",
  rbac: [
    {
      apiGroups: ["storage.k8s.io"],
      resources: ["volumeattributesclasses"],
      verbs: ["get", "list", "update", "watch"],
    },
    {
      apiGroups: [""],
      resources: ["persistentvolumeclaims", "persistentvolumes"],
      verbs: ["get", "list", "watch"],
    },
  ],
  for: volumeAttributesClass,
  watches: [persistentVolumeClaim, persistentVolume].map((kind) => ({
    kind,
    map: (obj: PersistentVolumeClaim | PersistentVolume) => classesOf(obj).map((name) => ({ name })),
  })),
  indexes: [persistentVolumeClaim, persistentVolume].map((kind) => ({
    kind,
    name: classIndex,
    fn: classesOf,
  })),
  async reconcile(ref, { cache, client, signal }) {
    const found = cache.get(volumeAttributesClass, ref)
    if (!found?.metadata.deletionTimestamp || !found.metadata.finalizers?.includes(finalizer)) return
    for (const kind of [persistentVolumeClaim, persistentVolume]) {
      if (cache.byIndex(kind, classIndex, ref.name).length > 0) return
    }
    await client.update(volumeAttributesClass, withoutFinalizer(found, finalizer), { signal })
  },
})

/** The classes that a claim or a volume has, had until now, or is to get. */
function classesOf(obj: PersistentVolumeClaim | PersistentVolume): string[] {
  const status = obj.status as PersistentVolumeClaim["status"]
  const names = [
    obj.spec.volumeAttributesClassName,
    status.currentVolumeAttributesClassName,
    status.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ]
  return [...new Set(names.filter((name) => name !== undefined && name !== ""))] as string[]
}
