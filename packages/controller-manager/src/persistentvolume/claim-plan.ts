/**
 * What to do about a claim. Pure.
 * Mirrors: pkg/controller/volume/persistentvolume/pv_controller.go (syncClaim, syncUnboundClaim, syncBoundClaim), index.go
 */
import type { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from "@knarr/api"
import {
  accessModesSatisfied,
  claimHasClass,
  findMatchingVolume,
  isDelayBindingProvisioning,
  isVolumeBoundToClaim,
  newestDefaultStorageClass,
  storageClassNameOf,
  storageOf,
  volumeAnnotations,
  volumeModesDiffer,
  waitsForFirstConsumer,
} from "@knarr/pod-rules"
import { hasLetGoOfVolumes } from "../workload/pod-state.ts"
import { migratedAnnotations, provisionerOf } from "./provisioners.ts"

/** What is known of the cluster, the binder's own latest writes included. */
export interface ClaimWorld {
  volume(name: string): Readonly<PersistentVolume> | undefined
  /** Volumes that name the claim, and those of the class that name none. */
  candidates(className: string): readonly Readonly<PersistentVolume>[]
  storageClass(name: string): Readonly<StorageClass> | undefined
  storageClasses(): readonly Readonly<StorageClass>[]
  /** Pods that use the claim. */
  pods(): readonly Readonly<Pod>[]
}

export interface PlannedEvent {
  readonly type: "Normal" | "Warning"
  readonly reason: string
  readonly message: string
}

export type ClaimPlan =
  | { readonly do: "bind"; readonly volume: Readonly<PersistentVolume> }
  /** Nothing can be done until something changes. `error`: which should not be so. */
  | { readonly do: "wait"; readonly event?: PlannedEvent; readonly error?: string }
  | { readonly do: "lose"; readonly event: PlannedEvent }
  | { readonly do: "annotate"; readonly annotations: Record<string, string> }
  | { readonly do: "set class"; readonly className: string }
  /** `error`: the provisioner is known, and refuses. */
  | { readonly do: "provision"; readonly provisioner: string; readonly error?: string }

/** Throws for a selector or a class that cannot be read. */
export function planClaim(claim: Readonly<PersistentVolumeClaim>, world: ClaimWorld): ClaimPlan {
  const { storageProvisioner, betaStorageProvisioner, bindCompleted } = volumeAnnotations
  const annotations = migratedAnnotations(claim.metadata.annotations, [
    storageProvisioner,
    betaStorageProvisioner,
  ])
  if (annotations) return { do: "annotate", annotations }
  if (claim.metadata.annotations?.[bindCompleted] !== undefined) return planBound(claim, world)
  return claim.spec.volumeName ? planRequested(claim, claim.spec.volumeName, world) : planAny(claim, world)
}

function lose(reason: string, message: string): ClaimPlan {
  return { do: "lose", event: { type: "Warning", reason, message } }
}

/** A claim that was bound once. */
function planBound(claim: Readonly<PersistentVolumeClaim>, world: ClaimWorld): ClaimPlan {
  const { volumeName } = claim.spec
  if (!volumeName)
    return lose(
      "ClaimLost",
      "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!",
    )
  const volume = world.volume(volumeName)
  if (!volume)
    return lose("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
  const ref = volume.spec.claimRef
  if (!ref || ref.uid === claim.metadata.uid) return { do: "bind", volume }
  return lose("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")
}

/** A claim whose user asks for one volume. */
function planRequested(
  claim: Readonly<PersistentVolumeClaim>,
  volumeName: string,
  world: ClaimWorld,
): ClaimPlan {
  const volume = world.volume(volumeName)
  if (!volume) return { do: "wait" }
  const warn = (reason: string, message: string): PlannedEvent => ({ type: "Warning", reason, message })
  if (!volume.spec.claimRef) {
    const mismatch = mismatchOf(volume, claim)
    if (mismatch === undefined) return { do: "bind", volume }
    return {
      do: "wait",
      event: warn("VolumeMismatch", `Cannot bind to requested volume "${volumeName}": ${mismatch}`),
    }
  }
  if (isVolumeBoundToClaim(volume, claim)) return { do: "bind", volume }
  const event = warn("FailedBinding", `volume "${volumeName}" already bound to a different claim.`)
  if (claim.metadata.annotations?.[volumeAnnotations.boundByController] === undefined)
    return { do: "wait", event }
  const { namespace, name } = claim.metadata
  const { namespace: otherNamespace, name: other } = volume.spec.claimRef
  const error =
    `invalid binding of claim "${namespace}/${name}" to volume "${volumeName}": ` +
    `volume already claimed by "${otherNamespace}/${other}"`
  return { do: "wait", event, error }
}

/** Why the volume that the user asks for is none for the claim. */
function mismatchOf(
  volume: Readonly<PersistentVolume>,
  claim: Readonly<PersistentVolumeClaim>,
): string | undefined {
  if (volume.metadata.deletionTimestamp) return `the volume is marked for deletion "${volume.metadata.name}"`
  const requested = storageOf(claim.spec.resources?.requests).value()
  if (storageOf(volume.spec.capacity).value() < requested) return "requested PV is too small"
  if (storageClassNameOf(volume) !== storageClassNameOf(claim)) return "storageClassName does not match"
  const attributesClass = claim.spec.volumeAttributesClassName ?? ""
  if ((volume.spec.volumeAttributesClassName ?? "") !== attributesClass)
    return "volumeAttributesClassName does not match"
  if (volumeModesDiffer(claim, volume)) return "incompatible volumeMode"
  return accessModesSatisfied(claim, volume) ? undefined : "incompatible accessMode"
}

/** A claim that takes any volume that fits. */
function planAny(claim: Readonly<PersistentVolumeClaim>, world: ClaimWorld): ClaimPlan {
  const className = storageClassNameOf(claim)
  const storageClass = className === "" ? undefined : world.storageClass(className)
  const delayBinding = waitsForFirstConsumer(storageClass)
  const volume = bestMatch(claim, world.candidates(className), delayBinding)
  if (volume) return { do: "bind", volume }
  if (!claimHasClass(claim)) {
    const found = newestDefaultStorageClass(world.storageClasses())
    if (found) return { do: "set class", className: found.metadata.name }
  }
  if (delayBinding && !isDelayBindingProvisioning(claim))
    return { do: "wait", event: waitEvent(world.pods()) }
  if (className !== "") return planProvisioning(className, storageClass)
  const message = "no persistent volumes available for this claim and no storage class is set"
  return { do: "wait", event: { type: "Normal", reason: "FailedBinding", message } }
}

function planProvisioning(className: string, storageClass: Readonly<StorageClass> | undefined): ClaimPlan {
  const found: ReturnType<typeof provisionerOf> = storageClass
    ? provisionerOf(storageClass)
    : { error: `storageclass.storage.k8s.io "${className}" not found` }
  const { name, error } = found
  if (name !== undefined) return { do: "provision", provisioner: name, ...(error && { error }) }
  return { do: "wait", event: provisioningFailed(error!) }
}

export function provisioningFailed(message: string): PlannedEvent {
  return { type: "Warning", reason: "ProvisioningFailed", message }
}

function waitEvent(pods: readonly Readonly<Pod>[]): PlannedEvent {
  const names = pods
    .filter((pod) => !hasLetGoOfVolumes(pod) && !pod.spec.nodeName)
    .map((pod) => pod.metadata.name)
  if (names.length === 0)
    return {
      type: "Normal",
      reason: "WaitForFirstConsumer",
      message: "waiting for first consumer to be created before binding",
    }
  const message = `waiting for pod${names.length > 1 ? "s" : ""} ${names.join(",")} to be scheduled`
  return { type: "Normal", reason: "WaitForPodScheduled", message }
}

function modesText(modes: readonly string[]): string {
  return modes.length === 1 ? modes[0]! : accessModes.filter((mode) => modes.includes(mode)).join()
}

const accessModes = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]

/** The volume that fits best: first among those of the fewest access modes that include all that are asked for. */
function bestMatch(
  claim: Readonly<PersistentVolumeClaim>,
  volumes: readonly Readonly<PersistentVolume>[],
  delayBinding: boolean,
): Readonly<PersistentVolume> | undefined {
  const byModes = new Map<string, Readonly<PersistentVolume>[]>()
  for (const volume of volumes) {
    if (!accessModesSatisfied(claim, volume)) continue
    const modes = modesText(volume.spec.accessModes ?? [])
    const group = byModes.get(modes)
    if (group) group.push(volume)
    else byModes.set(modes, [volume])
  }
  const groups = [...byModes].sort(([a], [b]) => a.split(",").length - b.split(",").length)
  for (const [, group] of groups) {
    const found = findMatchingVolume(claim, group, { delayBinding })
    if (found) return found
  }
  return undefined
}
