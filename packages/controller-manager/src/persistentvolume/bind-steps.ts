/**
 * The writes that bind a claim and a volume to one another, one at a time: each is decided from what the last one left, so that
 * a binding that was cut off is finished from wherever it stands. Pure.
 * Mirrors: pkg/controller/volume/persistentvolume/pv_controller.go (bind, unbindVolume, updateClaimStatus)
 */
import type { PersistentVolume, PersistentVolumeClaim } from "@knarr/api"
import { deepClone, deepEqual, parseQuantity } from "@knarr/apimachinery"
import { bindVolumeToClaim, volumeAnnotations } from "@knarr/pod-rules"

/** An object to be written; `status`: that part of it only. */
export type Step =
  | { readonly volume: PersistentVolume; readonly status: boolean }
  | { readonly claim: PersistentVolumeClaim; readonly status: boolean }

/** On volumes that grow: the size that the file system still has. */
export const preResizeCapacity = "volume.alpha.kubernetes.io/pre-resize-capacity"

/** The next write that binds both; undefined when they are bound. */
export function bindStep(
  volume: Readonly<PersistentVolume>,
  claim: Readonly<PersistentVolumeClaim>,
): Step | undefined {
  const bound = bindVolumeToClaim(volume, claim)
  if (bound.dirty) return { volume: bound.volume, status: false }
  const phase = volumePhaseStep(volume, "Bound")
  return phase ?? bindClaimStep(claim, volume) ?? claimStatusStep(claim, "Bound", volume)
}

/** The next write that frees the volume for another claim; one that the user meant for a claim stays meant for it. */
export function unbindStep(volume: Readonly<PersistentVolume>): Step | undefined {
  const chosen = volume.metadata.annotations?.[volumeAnnotations.boundByController] !== undefined
  const ref = volume.spec.claimRef
  if (!ref || (!chosen && !ref.uid)) return volumePhaseStep(volume, "Available")
  const copy = deepClone(volume) as PersistentVolume
  if (!chosen) delete copy.spec.claimRef!.uid
  else {
    delete copy.spec.claimRef
    const { [volumeAnnotations.boundByController]: _, ...others } = copy.metadata.annotations!
    copy.metadata.annotations = Object.keys(others).length > 0 ? others : undefined
  }
  return { volume: copy, status: false }
}

/** The write that brings the volume into the phase. */
export function volumePhaseStep(
  volume: Readonly<PersistentVolume>,
  phase: string,
  message?: string,
): Step | undefined {
  if (volume.status.phase === phase) return undefined
  const copy = deepClone(volume) as PersistentVolume
  copy.status = { ...copy.status, phase, message }
  return { volume: copy, status: true }
}

function bindClaimStep(
  claim: Readonly<PersistentVolumeClaim>,
  volume: Readonly<PersistentVolume>,
): Step | undefined {
  const { bindCompleted, boundByController } = volumeAnnotations
  const annotations = { ...claim.metadata.annotations }
  const isNamed = claim.spec.volumeName === volume.metadata.name
  if (isNamed && annotations[bindCompleted] !== undefined) return undefined
  const copy = deepClone(claim) as PersistentVolumeClaim
  if (!isNamed) {
    copy.spec.volumeName = volume.metadata.name
    annotations[boundByController] ??= "yes"
  }
  annotations[bindCompleted] ??= "yes"
  copy.metadata.annotations = annotations
  return { claim: copy, status: false }
}

/**
 * The write that brings the claim into the phase and, of the volume that it got, takes access modes, size and attributes class.
 * What a bound claim says of its size may differ from the volume's while it grows: it is taken once.
 * Throws for a volume without a size.
 */
export function claimStatusStep(
  claim: Readonly<PersistentVolumeClaim>,
  phase: string,
  volume?: Readonly<PersistentVolume>,
): Step | undefined {
  const copy = deepClone(claim) as PersistentVolumeClaim
  const { status } = copy
  const before = claim.status
  status.phase = phase
  if (!volume) {
    delete status.accessModes
    delete status.capacity
    delete status.currentVolumeAttributesClassName
  } else {
    if (volume.spec.accessModes) status.accessModes = [...volume.spec.accessModes]
    else delete status.accessModes
    if (before.phase !== phase) {
      const capacity = capacityOf(volume, before.capacity)
      if (capacity) status.capacity = capacity
    }
    const attributesClass = volume.spec.volumeAttributesClassName
    if (before.phase === "Pending" && phase === "Bound") {
      if (attributesClass === undefined) delete status.currentVolumeAttributesClassName
      else status.currentVolumeAttributesClassName = attributesClass
    }
  }
  return deepEqual(before, status) ? undefined : { claim: copy, status: true }
}

/** What the claim's status says of its size from now on; undefined: what it says already. */
function capacityOf(
  { metadata, spec }: Readonly<PersistentVolume>,
  before: Readonly<Record<string, string>> | undefined,
): Record<string, string> | undefined {
  const size = spec.capacity?.["storage"]
  if (size === undefined) throw new Error(`PersistentVolume "${metadata.name}" is without a storage capacity`)
  const preResize = metadata.annotations?.[preResizeCapacity]
  if (preResize !== undefined) return { ...before, storage: isQuantity(preResize) ? preResize : size }
  const known = before?.["storage"]
  if (known !== undefined && parseQuantity(known).equals(parseQuantity(size))) return undefined
  return { ...spec.capacity }
}

function isQuantity(text: string): boolean {
  try {
    parseQuantity(text)
    return true
  } catch {
    return false
  }
}
