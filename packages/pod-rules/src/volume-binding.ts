/**
 * Which PersistentVolume a claim gets, and how both say so: what the binder of volumes and the scheduler must agree on.
 * Mirrors: component-helpers storage/volume/pv_helpers.go, helpers.go (CheckNodeAffinity)
 */
import {
  persistentVolumeClaim,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from "@knarr/api"
import { deepClone, parseQuantity, type Quantity, selectorFrom, zeroQuantity } from "@knarr/apimachinery"
import { matchesNodeSelector } from "./node-affinity.ts"
import { storageClassNameOf } from "./storage-class.ts"

/** Annotations of claims and volumes by which the binder, the scheduler and provisioners speak to one another. */
export const volumeAnnotations = {
  /** On claims: the first binding is complete. Its value does not matter. */
  bindCompleted: "pv.kubernetes.io/bind-completed",
  /** On either: the controller chose the other one. Absent: the user did. Its value does not matter. */
  boundByController: "pv.kubernetes.io/bound-by-controller",
  /** On claims: the scheduler wants a volume made for this node. */
  selectedNode: "volume.kubernetes.io/selected-node",
  /** On volumes: who made it. */
  dynamicallyProvisioned: "pv.kubernetes.io/provisioned-by",
  /** On either: the CSI driver that does a former in-tree plugin's work. */
  migratedTo: "pv.kubernetes.io/migrated-to",
  /** On claims: who is to make a volume. */
  storageProvisioner: "volume.kubernetes.io/storage-provisioner",
  betaStorageProvisioner: "volume.beta.kubernetes.io/storage-provisioner",
} as const

type ReadonlyClaim = Readonly<PersistentVolumeClaim>
type ReadonlyVolume = Readonly<PersistentVolume>

/** Whether the scheduler has chosen the node for which a volume is to be made. */
export function isDelayBindingProvisioning({ metadata }: ReadonlyClaim): boolean {
  return metadata.annotations?.[volumeAnnotations.selectedNode] !== undefined
}

/** Whether the volume names this claim; one that a user wrote may name it without its uid. */
export function isVolumeBoundToClaim({ spec }: ReadonlyVolume, { metadata }: ReadonlyClaim): boolean {
  const ref = spec.claimRef
  if (!ref || ref.name !== metadata.name || ref.namespace !== metadata.namespace) return false
  return !ref.uid || ref.uid === metadata.uid
}

/** A copy of the volume that names the claim; `dirty` when that is not what it said. */
export function bindVolumeToClaim(
  volume: ReadonlyVolume,
  claim: ReadonlyClaim,
): { readonly volume: PersistentVolume; readonly dirty: boolean } {
  const copy = deepClone(volume) as PersistentVolume
  let dirty = false
  const ref = volume.spec.claimRef
  const { namespace, name, uid, resourceVersion } = claim.metadata
  if (ref?.name !== name || ref.namespace !== namespace || ref.uid !== uid) {
    const { apiVersion, kind } = persistentVolumeClaim
    copy.spec.claimRef = { apiVersion, kind, namespace, name, resourceVersion, uid }
    dirty = true
  }
  const { boundByController } = volumeAnnotations
  if (
    !isVolumeBoundToClaim(volume, claim) &&
    volume.metadata.annotations?.[boundByController] === undefined
  ) {
    copy.metadata.annotations = { ...copy.metadata.annotations, [boundByController]: "yes" }
    dirty = true
  }
  return { volume: copy, dirty }
}

/** Whether the volume can be used on a node of these labels. */
export function volumeFitsNode(
  { spec }: ReadonlyVolume,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  const required = spec.nodeAffinity?.required
  return !required || matchesNodeSelector(required, { metadata: { name: "", labels } })
}

/** Whether one is a block device and the other a file system. */
export function volumeModesDiffer({ spec: claim }: ReadonlyClaim, { spec: volume }: ReadonlyVolume): boolean {
  return (claim.volumeMode ?? "Filesystem") !== (volume.volumeMode ?? "Filesystem")
}

/** Whether the volume can be accessed in every way that the claim asks for. */
export function accessModesSatisfied(
  { spec: claim }: ReadonlyClaim,
  { spec: volume }: ReadonlyVolume,
): boolean {
  return (claim.accessModes ?? []).every((mode) => volume.accessModes?.includes(mode) ?? false)
}

const parsed = new Map<string, Quantity>()
const parsedBound = 10_000

/** The size that a claim asks for, or that a volume has; zero for none. */
export function storageOf(list: Readonly<Record<string, string>> | undefined): Quantity {
  const text = list?.["storage"]
  if (text === undefined) return zeroQuantity
  const known = parsed.get(text)
  if (known) return known
  const size = parseQuantity(text)
  if (parsed.size >= parsedBound) parsed.clear()
  parsed.set(text, size)
  return size
}

export interface MatchOptions {
  /** The scheduler's question: the volume must be usable on this node, and its access modes are checked here. */
  readonly node?: { readonly metadata: Pick<Node["metadata"], "labels"> }
  /** Names of volumes that other claims of the same pod get. */
  readonly excluded?: { has(name: string): boolean }
  /** The binder's question for a claim that waits for its first pod: only a volume that names the claim already. */
  readonly delayBinding?: boolean
}

/**
 * The volume for the claim: one that names it, else the smallest available one of those that fit; undefined for none.
 * Throws for a selector that cannot be read.
 */
export function findMatchingVolume(
  claim: ReadonlyClaim,
  volumes: readonly ReadonlyVolume[],
  { node, excluded, delayBinding = false }: MatchOptions = {},
): ReadonlyVolume | undefined {
  const requested = storageOf(claim.spec.resources?.requests)
  const className = storageClassNameOf(claim)
  const attributesClass = claim.spec.volumeAttributesClassName ?? ""
  const selector = claim.spec.selector && selectorFrom(claim.spec.selector)
  let smallest: ReadonlyVolume | undefined
  let smallestSize = zeroQuantity
  for (const volume of volumes) {
    const { metadata, spec, status } = volume
    if (excluded?.has(metadata.name)) continue
    const isBound = isVolumeBoundToClaim(volume, claim)
    if (spec.claimRef && !isBound) continue
    const size = storageOf(spec.capacity)
    if (size.compare(requested) < 0) continue
    if (volumeModesDiffer(claim, volume)) continue
    if ((spec.volumeAttributesClassName ?? "") !== attributesClass) continue
    if (metadata.deletionTimestamp) continue
    // A volume that names the claim is the only choice, also where it cannot be used.
    if (isBound) return !node || volumeFitsNode(volume, node.metadata.labels) ? volume : undefined
    if (!node && delayBinding) continue
    // What is not available yet becomes so in a moment; binding it now would meet a conflict.
    if (status?.phase !== "Available") continue
    if (selector && !selector.matches(metadata.labels)) continue
    if (storageClassNameOf(volume) !== className) continue
    if (smallest && smallestSize.compare(size) <= 0) continue
    if (node && !(accessModesSatisfied(claim, volume) && volumeFitsNode(volume, node.metadata.labels)))
      continue
    smallest = volume
    smallestSize = size
  }
  return smallest
}
