/**
 * What to do about a volume. Pure.
 * Mirrors: pkg/controller/volume/persistentvolume/pv_controller.go (syncVolume, reclaimVolume, isVolumeReleased)
 */
import type { PersistentVolume, PersistentVolumeClaim } from "@knarr/api"
import { volumeAnnotations, volumeModesDiffer } from "@knarr/pod-rules"
import { cannotDelete, deletionFinalizers, migratedAnnotations } from "./provisioners.ts"

export type VolumePlan =
  | { readonly do: "set phase"; readonly phase: "Available" | "Bound" }
  /** Nobody has the claim any more: first say so, then what the policy wants. */
  | { readonly do: "reclaim"; readonly say: boolean }
  | { readonly do: "report mismatch"; readonly claim: Readonly<PersistentVolumeClaim> }
  /** The claim is looked at too, and takes the volume. */
  | { readonly do: "leave" }
  | { readonly do: "unbind" }

/** What is undefined stays. */
export interface MetadataPlan {
  readonly annotations: Record<string, string> | undefined
  readonly finalizers: readonly string[] | undefined
}

/** Migration annotations and finalizers come first; undefined: they are right. */
export function planMetadata(volume: Readonly<PersistentVolume>): MetadataPlan | undefined {
  const annotations = migratedAnnotations(volume.metadata.annotations, [
    volumeAnnotations.dynamicallyProvisioned,
  ])
  const finalizers = deletionFinalizers(volume)
  return annotations || finalizers ? { annotations, finalizers } : undefined
}

/** `claim`: the one that the volume names by name and uid, undefined when it is gone. */
export function planVolume(
  volume: Readonly<PersistentVolume>,
  claim: Readonly<PersistentVolumeClaim> | undefined,
): VolumePlan {
  // One without a uid is meant for a claim: the claim's turn.
  if (!volume.spec.claimRef?.uid) return { do: "set phase", phase: "Available" }
  if (!claim) return reclaim(volume)
  if (!claim.spec.volumeName)
    return volumeModesDiffer(claim, volume) ? { do: "report mismatch", claim } : { do: "leave" }
  if (claim.spec.volumeName === volume.metadata.name) return { do: "set phase", phase: "Bound" }
  const wasMade = volume.metadata.annotations?.[volumeAnnotations.dynamicallyProvisioned] !== undefined
  // Made for a claim that took another one: nobody else wants it.
  if (wasMade && volume.spec.persistentVolumeReclaimPolicy === "Delete") return reclaim(volume)
  return { do: "unbind" }
}

function reclaim(volume: Readonly<PersistentVolume>): VolumePlan {
  return { do: "reclaim", say: !isReleased(volume) }
}

/** Whether the volume's end was said already. A failure stays to be seen while reclaiming is tried again. */
export function isReleased({ status }: Readonly<PersistentVolume>): boolean {
  return status.phase === "Released" || status.phase === "Failed"
}

export type ReclaimPlan =
  /** Nothing, or somebody outside does it. */
  | { readonly do: "leave" }
  | { readonly do: "fail"; readonly reason: string; readonly message: string }
  | { readonly do: "recycle" }

export function planReclaim(volume: Readonly<PersistentVolume>): ReclaimPlan {
  if (volume.metadata.annotations?.[volumeAnnotations.migratedTo]) return { do: "leave" }
  switch (volume.spec.persistentVolumeReclaimPolicy) {
    case "Retain":
      return { do: "leave" }
    case "Recycle":
      return { do: "recycle" }
    case "Delete": {
      const message = cannotDelete(volume)
      return message === undefined ? { do: "leave" } : { do: "fail", reason: "VolumeFailedDelete", message }
    }
    default:
      return {
        do: "fail",
        reason: "VolumeUnknownReclaimPolicy",
        message: "Volume has unrecognized PersistentVolumeReclaimPolicy",
      }
  }
}
