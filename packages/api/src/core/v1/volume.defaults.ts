/** Defaults of volumes. Mirrors: pkg/apis/core/v1/defaults.go */
import { canonicalQuantity } from "@knarr/apimachinery"
import { setClaimSpecDefaults } from "./claim.defaults.ts"
import { pullPolicyOf } from "./pull-policy.ts"
import type { DownwardAPIVolumeFile, PersistentVolumeSpec, Volume } from "./types.gen.ts"

const readable = 0o644

/** A volume without a source is an empty directory. */
export function setVolumeDefaults(volume: Volume): void {
  let hasSource = false
  for (const field in volume) {
    if (field !== "name" && volume[field as keyof Volume] !== undefined) hasSource = true
  }
  if (!hasSource) volume.emptyDir = {}
  if (volume.secret) volume.secret.defaultMode ??= readable
  if (volume.configMap) volume.configMap.defaultMode ??= readable
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= readable
    setFileDefaults(volume.downwardAPI.items)
  }
  if (volume.projected) {
    volume.projected.defaultMode ??= readable
    for (const source of volume.projected.sources ?? []) {
      if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= 3600
      if (source.podCertificate) source.podCertificate.maxExpirationSeconds ??= 86400
      setFileDefaults(source.downwardAPI?.items)
    }
  }
  if (volume.hostPath) volume.hostPath.type ??= ""
  if (volume.image) volume.image.pullPolicy ||= pullPolicyOf(volume.image.reference ?? "")
  if (volume.iscsi) volume.iscsi.iscsiInterface ||= "default"
  if (volume.rbd) {
    volume.rbd.pool ||= "rbd"
    volume.rbd.user ||= "admin"
    volume.rbd.keyring ||= "/etc/ceph/keyring"
  }
  setAzureDiskDefaults(volume.azureDisk)
  setScaleIODefaults(volume.scaleIO)
  if (volume.ephemeral?.volumeClaimTemplate) setClaimSpecDefaults(volume.ephemeral.volumeClaimTemplate.spec)
}

/** Defaults of what is behind a persistent volume. */
export function setPersistentVolumeSourceDefaults(spec: PersistentVolumeSpec): void {
  if (spec.hostPath) spec.hostPath.type ??= ""
  if (spec.iscsi) spec.iscsi.iscsiInterface ||= "default"
  if (spec.rbd) {
    spec.rbd.pool ||= "rbd"
    spec.rbd.user ||= "admin"
    spec.rbd.keyring ||= "/etc/ceph/keyring"
  }
  setAzureDiskDefaults(spec.azureDisk)
  setScaleIODefaults(spec.scaleIO)
}

function setAzureDiskDefaults(disk: Volume["azureDisk"]): void {
  if (!disk) return
  disk.cachingMode ??= "ReadWrite"
  disk.kind ??= "Shared"
  disk.fsType ??= "ext4"
  disk.readOnly ??= false
}

function setScaleIODefaults(
  source: { storageMode?: string | undefined; fsType?: string | undefined } | undefined,
): void {
  if (!source) return
  source.storageMode ||= "ThinProvisioned"
  source.fsType ||= "xfs"
}

function setFileDefaults(files: DownwardAPIVolumeFile[] | undefined): void {
  for (const { fieldRef, resourceFieldRef } of files ?? []) {
    if (fieldRef) fieldRef.apiVersion ||= "v1"
    if (resourceFieldRef) resourceFieldRef.divisor = canonicalQuantity(resourceFieldRef.divisor ?? "0")
  }
}
