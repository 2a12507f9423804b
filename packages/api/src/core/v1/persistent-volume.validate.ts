/** Validation of persistent volumes. Mirrors: pkg/apis/core/validation/validation.go (ValidatePersistentVolume) */
import { deepClone, field, nameIsDNSSubdomain, parseQuantity, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutable, noBacksteps, oneOfIfSet, positiveMessage, reasons } from "../../checks.ts"
import { validateNodeSelector } from "./affinity.validate.ts"
import { validateAccessModes, volumeModes } from "./claim.validate.ts"
import { validateResourceQuantity } from "./resources.validate.ts"
import { validateDriverName, validateLegacySource } from "./volume-source.validate.ts"
import type { PersistentVolume, PersistentVolumeSpec } from "./types.gen.ts"

const sources = [
  "hostPath",
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "glusterfs",
  "flocker",
  "nfs",
  "rbd",
  "quobyte",
  "cephfs",
  "iscsi",
  "cinder",
  "fc",
  "flexVolume",
  "azureFile",
  "vsphereVolume",
  "photonPersistentDisk",
  "portworxVolume",
  "azureDisk",
  "scaleIO",
  "local",
  "storageos",
  "csi",
] as const

function validateSources(spec: PersistentVolumeSpec): FieldError[] {
  const out: FieldError[] = []
  let count = 0
  for (const name of sources) {
    if (spec[name] === undefined) continue
    const at = `spec.${name === "cephfs" ? "cephFS" : name}`
    if (count++ > 0) out.push(field.forbidden(at, "may not specify more than 1 volume type"))
    else if (name === "csi") {
      out.push(...validateDriverName(`${at}.driver`, spec.csi!.driver))
      if (!spec.csi!.volumeHandle) out.push(field.required(`${at}.volumeHandle`, ""))
    } else if (name === "hostPath") {
      const { path } = spec.hostPath!
      out.push(...(path ? noBacksteps(`${at}.path`, path) : [field.required(`${at}.path`, "")]))
    } else {
      out.push(...validateLegacySource(at, name, spec))
      if (name === "local" && !spec.nodeAffinity)
        out.push(field.required("spec.nodeAffinity", "Local volume requires node affinity"))
    }
  }
  if (count === 0) out.push(field.required("spec", "must specify a volume type"))
  return out
}

export function validatePersistentVolume({ spec }: Readonly<PersistentVolume>): FieldError[] {
  const out: FieldError[] = []
  if (!spec.accessModes?.length) out.push(field.required("spec.accessModes", ""))
  out.push(...validateAccessModes("spec.accessModes", spec.accessModes))
  const capacity = Object.keys(spec.capacity ?? {})
  if (capacity.length === 0) out.push(field.required("spec.capacity", ""))
  if (capacity.length !== 1 || capacity[0] !== "storage")
    out.push(field.notSupported("spec.capacity", spec.capacity, ["storage"]))
  for (const name of capacity) {
    const at = `spec.capacity[${name}]`
    const errors = validateResourceQuantity(at, name, spec.capacity![name]!)
    out.push(...errors)
    if (errors.length === 0 && parseQuantity(spec.capacity![name]!).sign() <= 0)
      out.push(field.invalid(at, spec.capacity![name], positiveMessage))
  }
  const policies = ["Delete", "Recycle", "Retain"]
  if (spec.persistentVolumeReclaimPolicy)
    out.push(
      ...oneOfIfSet("spec.persistentVolumeReclaimPolicy", spec.persistentVolumeReclaimPolicy, policies),
    )
  if (spec.nodeAffinity) {
    const at = "spec.nodeAffinity"
    if (!spec.nodeAffinity.required)
      out.push(field.required(`${at}.required`, "must specify required node constraints"))
    else out.push(...validateNodeSelector(`${at}.required`, spec.nodeAffinity.required))
  }
  out.push(...validateSources(spec))
  if (spec.hostPath?.path === "/" && spec.persistentVolumeReclaimPolicy === "Recycle")
    out.push(
      field.forbidden(
        "spec.persistentVolumeReclaimPolicy",
        "may not be 'recycle' for a hostPath mount of '/'",
      ),
    )
  const className = spec.storageClassName
  if (className)
    out.push(...reasons("spec.storageClassName", className, nameIsDNSSubdomain(className, false)))
  return [...out, ...oneOfIfSet("spec.volumeMode", spec.volumeMode, volumeModes)]
}

export function validatePersistentVolumeUpdate(
  volume: Readonly<PersistentVolume>,
  old: Readonly<PersistentVolume>,
): FieldError[] {
  const pick = ({ spec }: Readonly<PersistentVolume>): Partial<PersistentVolumeSpec> => {
    const out: Record<string, unknown> = {}
    for (const name of sources) if (spec[name] !== undefined) out[name] = deepClone(spec[name])
    return out
  }
  const out: FieldError[] = []
  const now = pick(volume)
  const was = pick(old)
  for (const name of ["controllerExpandSecretRef", "nodeExpandSecretRef"] as const)
    if (now.csi && was.csi && was.csi[name] === undefined) delete now.csi[name]
  if (!semanticEqual(now, was))
    out.push(
      field.forbidden(
        "spec.persistentvolumesource",
        "spec.persistentvolumesource is immutable after creation",
      ),
    )
  out.push(...immutable("spec.volumeMode", volume.spec.volumeMode, old.spec.volumeMode))
  if (old.spec.nodeAffinity) {
    const error = immutable("spec.nodeAffinity", volume.spec.nodeAffinity, old.spec.nodeAffinity)
    out.push(
      ...error.map((one) => ({
        ...one,
        detail: "field is immutable, except for updating from beta label to GA",
      })),
    )
  }
  return out
}
