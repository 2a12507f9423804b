/**
 * Who manages the replicas: the entries of `metadata.managedFields` between an object and its scale.
 * Mirrors: apimachinery pkg/util/managedfields/scalehandler.go
 */
import {
  FieldSet,
  type Kind,
  type KubeObject,
  readOwners,
  writeOwners,
  type Owners,
} from "@knarr/apimachinery"

type Entries = NonNullable<KubeObject["metadata"]["managedFields"]>

const replicasOfScale = ["f:spec", "f:replicas"]
const onlyReplicas = FieldSet.of(replicasOfScale)

/** Where the replicas are in an object of the kind, as managed fields name it. */
function replicasOf(kind: Kind): readonly string[] {
  return kind.scale?.replicasPath?.map((name) => `f:${name}`) ?? replicasOfScale
}

function ownersOf(obj: Readonly<KubeObject>): Owners {
  try {
    return readOwners(obj.metadata.managedFields)
  } catch {
    return new Map()
  }
}

/** The entries of the scale of an object: who set its replicas in the version that is served. */
export function scaleManagers(kind: Kind, obj: Readonly<KubeObject>): Entries {
  const owners: Owners = new Map()
  const replicas = replicasOf(kind)
  for (const [key, owner] of ownersOf(obj))
    if (owner.apiVersion === kind.apiVersion && owner.fields.has(replicas))
      owners.set(key, { ...owner, apiVersion: "autoscaling/v1", fields: onlyReplicas })
  return writeOwners(owners) as Entries
}

/** The entries of the object whose scale is written: who set the replicas of the scale has them alone. */
export function managersOfScaled(
  kind: Kind,
  obj: Readonly<KubeObject>,
  scale: Readonly<KubeObject>,
): Entries {
  const ofScale = ownersOf(scale)
  const before = ownersOf(obj)
  const replicas = replicasOf(kind)
  const ofKind = FieldSet.of(replicas)
  const owners: Owners = new Map()
  for (const [key, owner] of before) {
    if (owner.apiVersion !== kind.apiVersion) continue
    if (!owner.fields.has(replicas) || ofScale.delete(key)) {
      owners.set(key, owner)
      continue
    }
    const fields = owner.fields.difference(ofKind)
    if (!fields.isEmpty()) owners.set(key, { ...owner, fields })
  }
  for (const [key, owner] of ofScale) {
    if (owner.fields.isEmpty()) continue
    const { apiVersion } = kind
    owners.set(key, { ...owner, apiVersion, time: before.get(key)?.time, fields: ofKind })
  }
  return writeOwners(owners) as Entries
}

/** Gives an object these entries; none is no field. */
export function setManagers(obj: KubeObject, entries: Entries): void {
  if (entries.length > 0) obj.metadata.managedFields = entries
  else delete obj.metadata.managedFields
}
