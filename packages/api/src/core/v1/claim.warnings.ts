/** What users should know about claims and volumes that are accepted. Mirrors: pkg/api/persistentvolume{,claim}/util.go */
import { fractionalBytes } from "./fractional-bytes.ts"
import { nodeSelectorTermWarnings } from "./node-label.warnings.ts"
import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec } from "./types.gen.ts"

const className = "volume.beta.kubernetes.io/storage-class"
const useClassName = 'deprecated since v1.8; use "storageClassName" attribute instead'
const mountOptions = "volume.beta.kubernetes.io/mount-options"
const useMountOptions = 'deprecated since v1.31; use "mountOptions" attribute instead'

export function claimWarnings({ metadata, spec }: Readonly<PersistentVolumeClaim>): string[] {
  const out = claimSpecWarnings("spec", spec)
  if (metadata.annotations?.[className] === undefined) return out
  return [`metadata.annotations[${className}]: ${useClassName}`, ...out]
}

/** The spec of a claim, in a claim or a template. */
export function claimSpecWarnings(path: string, spec: PersistentVolumeClaimSpec | undefined): string[] {
  return (["requests", "limits"] as const).flatMap((name) =>
    fractionalBytes(`${path}.resources.${name}`, spec?.resources?.[name], ["storage"]),
  )
}

/** Kinds of volumes that are not served any more. */
const gone = {
  cephfs: "deprecated in v1.28, non-functional in v1.31+",
  photonPersistentDisk: "deprecated in v1.11, non-functional in v1.16+",
  scaleIO: "deprecated in v1.16, non-functional in v1.22+",
  storageos: "deprecated in v1.22, non-functional in v1.25+",
  glusterfs: "deprecated in v1.25, non-functional in v1.26+",
  rbd: "deprecated in v1.28, non-functional in v1.31+",
} as const

export function volumeWarnings({ metadata, spec }: Readonly<PersistentVolume>): string[] {
  const out: string[] = []
  for (const [key, message] of [
    [className, useClassName],
    [mountOptions, useMountOptions],
  ] as const)
    if (metadata.annotations?.[key] !== undefined) out.push(`metadata.annotations[${key}]: ${message}`)
  if (spec.persistentVolumeReclaimPolicy === "Recycle")
    out.push(
      "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
    )
  for (const [i, term] of (spec.nodeAffinity?.required?.nodeSelectorTerms ?? []).entries())
    out.push(...nodeSelectorTermWarnings(`spec.nodeAffinity.required.nodeSelectorTerms[${i}]`, term, false))
  for (const [name, message] of Object.entries(gone))
    if (spec[name as keyof typeof gone])
      out.push(`spec.${name === "storageos" ? "storageOS" : name}: ${message}`)
  return out
}
