/** Plugins on claims and volumes: the default class, protection while in use, growing. */
import { persistentVolume, persistentVolumeClaim, storageClass, volumeAttributesClass } from "@knarr/api"
import type { PersistentVolumeClaim } from "@knarr/api"
import { compareQuantities, parseQuantity, type Kind, sameResource } from "@knarr/apimachinery"
import { claimHasClass, newestDefaultStorageClass } from "@knarr/pod-rules"
import type { AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

/** Mirrors: plugin/pkg/admission/storage/storageclass/setdefault */
export const defaultStorageClass: AdmissionPlugin = {
  name: "DefaultStorageClass",
  enabledByDefault: true,
  create: ({ list }) => ({
    handles: (a) =>
      a.operation === "CREATE" && sameResource(a.kind, persistentVolumeClaim) && a.subresource === "",
    admit(a) {
      const obj = a.object as PersistentVolumeClaim
      if (claimHasClass(obj)) return
      const found = newestDefaultStorageClass(list(storageClass))
      if (found) obj.spec.storageClassName = found.metadata.name
    },
  }),
}

const protection: readonly (readonly [Kind, finalizer: string])[] = [
  [persistentVolumeClaim, "kubernetes.io/pvc-protection"],
  [persistentVolume, "kubernetes.io/pv-protection"],
  [volumeAttributesClass, "kubernetes.io/vac-protection"],
]

function finalizerOf(kind: Kind): string | undefined {
  return protection.find(([protectedKind]) => sameResource(kind, protectedKind))?.[1]
}

/** Mirrors: plugin/pkg/admission/storage/storageobjectinuseprotection */
export const storageObjectInUseProtection: AdmissionPlugin = {
  name: "StorageObjectInUseProtection",
  enabledByDefault: true,
  create: () => ({
    handles: (a) => a.operation === "CREATE" && a.subresource === "" && finalizerOf(a.kind) !== undefined,
    admit(a) {
      const { metadata } = a.object!
      const finalizer = finalizerOf(a.kind)!
      if (!metadata.finalizers?.includes(finalizer))
        metadata.finalizers = [...(metadata.finalizers ?? []), finalizer]
    },
  }),
}

/** Mirrors: plugin/pkg/admission/storage/persistentvolume/resize */
export const persistentVolumeClaimResize: AdmissionPlugin = {
  name: "PersistentVolumeClaimResize",
  enabledByDefault: true,
  create: ({ get }) => ({
    handles: (a) =>
      a.operation === "UPDATE" && sameResource(a.kind, persistentVolumeClaim) && a.subresource === "",
    validate(a) {
      const next = (a.object as PersistentVolumeClaim).spec
      const old = (a.oldObject as PersistentVolumeClaim).spec
      const after = next.resources?.requests?.["storage"]
      const before = old.resources?.requests?.["storage"]
      if (
        after === undefined ||
        before === undefined ||
        compareQuantities(parseQuantity(after), parseQuantity(before)) <= 0
      )
        return
      if ((a.oldObject as PersistentVolumeClaim).status?.phase !== "Bound")
        throw refusal(a, "Only bound persistent volume claims can be expanded")
      const name = next.storageClassName
      if (!name || !get(storageClass, { name })?.allowVolumeExpansion)
        throw refusal(
          a,
          "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
        )
    },
  }),
}
