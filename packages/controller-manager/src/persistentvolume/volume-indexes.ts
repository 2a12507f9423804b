/** Volumes by who can have them. */
import { persistentVolume, type PersistentVolume } from "@knarr/api"
import type { Cache } from "@knarr/controller-kit"
import { storageClassNameOf } from "@knarr/pod-rules"

export const volumeUserIndex = {
  kind: persistentVolume,
  name: "user",
  fn: (volume: PersistentVolume): readonly string[] => {
    const ref = volume.spec.claimRef
    return [ref ? `claim ${ref.namespace}/${ref.name}` : `class ${storageClassNameOf(volume)}`]
  },
}

/** Volumes that name the claim (`<namespace>/<name>`), and those of the class that name none. */
export function candidates(
  claimKey: string,
  className: string,
  cache: Cache,
): readonly Readonly<PersistentVolume>[] {
  const by = (value: string): readonly PersistentVolume[] =>
    cache.byIndex(persistentVolume, volumeUserIndex.name, value)
  return [...by(`claim ${claimKey}`), ...by(`class ${className}`)]
}
