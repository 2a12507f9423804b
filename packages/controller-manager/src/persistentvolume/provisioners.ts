/**
 * Who makes, deletes and recycles volumes: a driver outside, or nobody. The plugins that upstream's controller has inside are
 * host-path and nfs; both recycle only.
 * Mirrors: pkg/controller/volume/persistentvolume/pv_controller.go (findProvisionablePlugin, findDeletablePlugin),
 * pv_controller_base.go (updateMigrationAnnotations, modifyDeletionFinalizers)
 */
import type { ObjectMeta } from "@knarr/apimachinery"
import type { PersistentVolume, StorageClass } from "@knarr/api"
import { volumeAnnotations } from "@knarr/pod-rules"
import { migratedDrivers } from "./migrated-plugins.ts"

const inTree = "kubernetes.io/"
const inTreeFinalizer = "kubernetes.io/pv-controller"
const externalFinalizer = "external-provisioner.volume.kubernetes.io/finalizer"

/** Who is asked to make volumes of the class, and why it or anybody cannot. */
export function provisionerOf({ provisioner }: Readonly<StorageClass>): {
  readonly name?: string
  readonly error?: string
} {
  const driver = migratedDrivers[provisioner]
  if (driver !== undefined) return { name: driver }
  if (!provisioner.startsWith(inTree)) return { name: provisioner }
  if (provisioner === hostPathPlugin)
    return {
      name: provisioner,
      error: `Failed to create provisioner: provisioning in volume plugin "${provisioner}" is disabled`,
    }
  return { error: `no volume plugin matched name: ${provisioner}` }
}

const hostPathPlugin = "kubernetes.io/host-path"

/** Why the volume cannot be deleted; undefined: somebody outside deletes it. */
export function cannotDelete({ metadata, spec }: Readonly<PersistentVolume>): string | undefined {
  const provisionedBy = metadata.annotations?.[volumeAnnotations.dynamicallyProvisioned]
  if (provisionedBy)
    return provisionedBy.startsWith(inTree) ? `no volume plugin matched name: ${provisionedBy}` : undefined
  if (metadata.annotations?.[volumeAnnotations.migratedTo] !== undefined || spec.csi) return undefined
  // Upstream's controller deletes such a folder of the machine that it runs on: here that is no node's.
  if (spec.hostPath)
    return /^\/tmp\/.+/.test(spec.hostPath.path)
      ? `host_path deleter cannot delete ${spec.hostPath.path}: controllers have no node's files`
      : `host_path deleter only supports /tmp/.+ but received provided ${spec.hostPath.path}`
  return `error getting deleter volume plugin for volume "${metadata.name}": no deletable volume plugin matched`
}

/** The controller's own plugin that knows the volume, as metrics name it. */
export function pluginOf({ spec }: Readonly<PersistentVolume>): string {
  if (spec.hostPath) return hostPathPlugin
  return spec.nfs ? "kubernetes.io/nfs" : "N/A"
}

/** The annotations when they name a driver that does a former plugin's work, or no longer do; undefined: they stay. */
export function migratedAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  provisionerKeys: readonly string[],
): Record<string, string> | undefined {
  const key = provisionerKeys.find((one) => annotations?.[one] !== undefined)
  if (!annotations || key === undefined) return undefined
  const { migratedTo } = volumeAnnotations
  const driver = migratedDrivers[annotations[key]!]
  if ((annotations[migratedTo] || undefined) === driver) return undefined
  const { [migratedTo]: _, ...others } = annotations
  return driver === undefined ? others : { ...others, [migratedTo]: driver }
}

/** The volume's finalizers as its reclaim policy wants them; undefined: they stay. Only of volumes that a plugin inside made. */
export function deletionFinalizers({
  metadata,
  spec,
}: Readonly<PersistentVolume>): readonly string[] | undefined {
  const provisionedBy = metadata.annotations?.[volumeAnnotations.dynamicallyProvisioned]
  if (provisionedBy === undefined || !provisionedBy.startsWith(inTree)) return undefined
  const before: Readonly<NonNullable<ObjectMeta["finalizers"]>> = metadata.finalizers ?? []
  const isMigrated = migratedDrivers[provisionedBy] !== undefined
  const policy = spec.persistentVolumeReclaimPolicy
  let after = before.filter((name) => isMigrated || name !== externalFinalizer)
  if (isMigrated || policy === "Retain" || policy === "Recycle")
    after = after.filter((name) => name !== inTreeFinalizer)
  else if (policy === "Delete" && !after.includes(inTreeFinalizer)) after = [...after, inTreeFinalizer]
  return after.length === before.length && after.every((name, i) => name === before[i]) ? undefined : after
}
