/**
 * Which storage class a claim and a volume are of, and which one is the default.
 * Mirrors: component-helpers storage/volume/helpers.go, pkg/volume/util/storageclass.go
 */
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from "@knarr/api"
import type { KubeObject } from "@knarr/apimachinery"

const betaStorageClass = "volume.beta.kubernetes.io/storage-class"

/** Whether the claim says of which class it is; `""` is said too. */
export function claimHasClass({ metadata, spec }: Readonly<PersistentVolumeClaim>): boolean {
  return metadata.annotations?.[betaStorageClass] !== undefined || spec.storageClassName !== undefined
}

/** The name of the claim's or the volume's class, `""` for none. */
export function storageClassNameOf({
  metadata,
  spec,
}: Readonly<PersistentVolumeClaim> | Readonly<PersistentVolume>): string {
  return metadata.annotations?.[betaStorageClass] ?? spec.storageClassName ?? ""
}

/** The newest of the objects that have one of the annotations as "true", by name among those of the same second. */
export function newestDefault<T extends KubeObject>(
  objects: readonly Readonly<T>[],
  annotations: readonly string[],
): Readonly<T> | undefined {
  const marked = objects.filter((obj) =>
    annotations.some((key) => obj.metadata.annotations?.[key] === "true"),
  )
  return marked.sort(
    (a, b) =>
      Date.parse(b.metadata.creationTimestamp) - Date.parse(a.metadata.creationTimestamp) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  )[0]
}

/** The class of claims that name none. */
export function newestDefaultStorageClass(
  classes: readonly Readonly<StorageClass>[],
): Readonly<StorageClass> | undefined {
  return newestDefault<StorageClass>(classes, [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
  ])
}

/**
 * Whether claims of the class are bound when the first pod that uses them is scheduled. A class that does not exist
 * binds at once. Throws for one without a binding mode, which the API never stores.
 */
export function waitsForFirstConsumer(storageClass: Readonly<StorageClass> | undefined): boolean {
  if (!storageClass) return false
  if (storageClass.volumeBindingMode === undefined)
    throw new Error(`VolumeBindingMode not set for StorageClass "${storageClass.metadata.name}"`)
  return storageClass.volumeBindingMode === "WaitForFirstConsumer"
}
