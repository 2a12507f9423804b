/**
 * Whether the pod's claims have, or can get, volumes that are usable on a node. Pure.
 * Mirrors: plugins/volumebinding/binder.go (FindPodVolumes, checkVolumeProvisions, hasEnoughCapacity)
 */
import type {
  CSIDriver,
  CSIStorageCapacity,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  TopologySelectorTerm,
} from "@knarr/api"
import { parseQuantity, selectorFrom, type Quantity } from "@knarr/apimachinery"
import {
  findMatchingVolume,
  storageClassNameOf,
  storageOf,
  volumeAnnotations,
  volumeFitsNode,
} from "@knarr/pod-rules"

type Volume = Readonly<PersistentVolume>
type Claim = Readonly<PersistentVolumeClaim>

/** A volume that is there, for a claim that has none. */
export interface StaticBinding {
  readonly claim: Claim
  readonly volume: Volume
}

/** A volume that somebody is to make on the node. */
export interface Provision {
  readonly claim: Claim
  /** Where it is to be taken from, when the driver says how much there is. */
  readonly capacity: Readonly<CSIStorageCapacity> | undefined
}

export interface NodeVolumes {
  readonly bindings: readonly StaticBinding[]
  readonly provisions: readonly Provision[]
}

/** Upstream's reasons; the node is refused with all that hold, in this order. */
const reasons = {
  nodeConflict: "node(s) didn't match PersistentVolume's node affinity",
  bindConflict: "node(s) didn't find available persistent volumes to bind",
  notEnoughSpace: "node(s) did not have enough free storage",
  volumeMissing: "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
} as const

/** What is known of the pod's claims before a node is looked at. */
export interface ClaimsOfPod {
  /** Of the bound ones: their volumes; undefined for one that does not exist. */
  readonly bound: readonly (Volume | undefined)[]
  /** Those that wait for a node, the smallest first. */
  readonly waiting: readonly Claim[]
  /** By class: the volumes that these could get. */
  readonly available: ReadonlyMap<string, readonly Volume[]>
}

/** What is asked about provisioning. */
export interface StorageFacts {
  classOf(name: string): Readonly<StorageClass> | undefined
  driverOf(name: string): Readonly<CSIDriver> | undefined
  capacities(): readonly Readonly<CSIStorageCapacity>[]
}

/** The volumes that the pod would get on the node, or why it gets none there. Throws for a claim that nobody can serve anywhere. */
export function findVolumes(
  claims: ClaimsOfPod,
  node: Readonly<Node>,
  facts: StorageFacts,
): NodeVolumes | string[] {
  const refused: string[] = []
  let isMissing = false
  for (const volume of claims.bound) {
    if (!volume) isMissing = true
    else if (!volumeFitsNode(volume, node.metadata.labels)) refused.push(reasons.nodeConflict)
    else continue
    break
  }
  const found = findForWaiting(claims, node, facts)
  if (typeof found === "string") refused.push(found)
  if (isMissing) refused.push(reasons.volumeMissing)
  return refused.length > 0 || typeof found === "string" ? refused : found
}

function findForWaiting(
  claims: ClaimsOfPod,
  node: Readonly<Node>,
  facts: StorageFacts,
): NodeVolumes | string {
  const bindings: StaticBinding[] = []
  const toProvision: Claim[] = []
  const unmatched: Claim[] = []
  const excluded = new Set<string>()
  const selected = (claim: Claim): string | undefined =>
    claim.metadata.annotations?.[volumeAnnotations.selectedNode]
  if (claims.waiting.some((claim) => (selected(claim) ?? node.metadata.name) !== node.metadata.name))
    return reasons.bindConflict
  for (const claim of claims.waiting) {
    if (selected(claim) !== undefined) {
      toProvision.push(claim)
      continue
    }
    const available = claims.available.get(storageClassNameOf(claim)) ?? []
    const volume = findMatchingVolume(claim, available, { node, excluded })
    if (volume) {
      excluded.add(volume.metadata.name)
      bindings.push({ claim, volume })
    } else unmatched.push(claim)
  }
  const provisions = provisionsFor([...toProvision, ...unmatched], node, facts)
  return typeof provisions === "string" ? provisions : { bindings, provisions }
}

const noProvisioner = "kubernetes.io/no-provisioner"

function provisionsFor(
  claims: readonly Claim[],
  node: Readonly<Node>,
  facts: StorageFacts,
): Provision[] | string {
  const provisions: Provision[] = []
  for (const claim of claims) {
    const className = storageClassNameOf(claim)
    const { namespace, name } = claim.metadata
    if (className === "") throw new Error(`no class for claim "${namespace}/${name}"`)
    const storageClass = facts.classOf(className)
    if (!storageClass) throw new Error(`failed to find storage class "${className}"`)
    const { provisioner, allowedTopologies } = storageClass
    if (!provisioner || provisioner === noProvisioner) return reasons.bindConflict
    if (!matchesTopology(allowedTopologies, node)) return reasons.bindConflict
    const capacity = capacityFor(claim, storageClass, node, facts)
    if (capacity === "not enough") return reasons.notEnoughSpace
    provisions.push({ claim, capacity })
  }
  return provisions
}

/** Terms are alternatives; no term at all is everywhere, an empty one nowhere. */
function matchesTopology(
  terms: readonly TopologySelectorTerm[] | undefined,
  { metadata }: Readonly<Node>,
): boolean {
  if (!terms?.length) return true
  return terms.some(({ matchLabelExpressions: wanted = [] }) => {
    const isThere = ({ key, values }: (typeof wanted)[number]): boolean => {
      const value = metadata.labels?.[key]
      return value !== undefined && values.includes(value)
    }
    return wanted.length > 0 && wanted.every(isThere)
  })
}

/** Undefined when nobody says how much there is. */
function capacityFor(
  claim: Claim,
  storageClass: Readonly<StorageClass>,
  node: Readonly<Node>,
  facts: StorageFacts,
): Readonly<CSIStorageCapacity> | "not enough" | undefined {
  if (claim.spec.resources?.requests?.["storage"] === undefined) return undefined
  if (!facts.driverOf(storageClass.provisioner)?.spec.storageCapacity) return undefined
  const wanted = storageOf(claim.spec.resources.requests)
  const fits = (capacity: Readonly<CSIStorageCapacity>): boolean => {
    if (capacity.storageClassName !== storageClass.metadata.name) return false
    const limit = volumeLimit(capacity)
    return limit !== undefined && limit.compare(wanted) >= 0 && isAccessible(capacity, node)
  }
  return facts.capacities().find(fits) ?? "not enough"
}

/** The largest volume that can be made of it. */
export function volumeLimit({
  maximumVolumeSize,
  capacity,
}: Readonly<CSIStorageCapacity>): Quantity | undefined {
  const text = maximumVolumeSize ?? capacity
  return text === undefined ? undefined : parseQuantity(text)
}

function isAccessible({ nodeTopology }: Readonly<CSIStorageCapacity>, { metadata }: Readonly<Node>): boolean {
  if (!nodeTopology) return false
  try {
    return selectorFrom(nodeTopology).matches(metadata.labels)
  } catch {
    // A selector that is none selects no node.
    return false
  }
}
