/** Validation of persistent volumes. Mirrors: pkg/apis/core/validation/validation.go (ValidatePersistentVolume) */
import {
  deepClone,
  field,
  isDNS1123Label,
  isDNS1123Subdomain,
  nameIsDNSSubdomain,
  parseQuantity,
  semanticEqual,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutable, noBacksteps, oneOfIfSet, positiveMessage, reasons } from "../../checks.ts"
import { validateNodeSelector } from "./affinity.validate.ts"
import { validateAccessModes, volumeModes } from "./claim.validate.ts"
import { validateResourceQuantity } from "./resources.validate.ts"
import { validateDriverName, validateLegacySource } from "./volume-source.validate.ts"
import { goValue } from "../../go-value.ts"
import { goDiff } from "../../unified-diff.ts"
import type { PersistentVolume, PersistentVolumeSpec, SecretReference } from "./types.gen.ts"

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

const secretRefs = [
  "controllerPublishSecretRef",
  "controllerExpandSecretRef",
  "nodePublishSecretRef",
  "nodeExpandSecretRef",
] as const

function validateSecretReference(path: string, { name, namespace }: SecretReference): FieldError[] {
  return [
    ...(name
      ? reasons(`${path}.name`, name, isDNS1123Subdomain(name))
      : [field.required(`${path}.name`, "")]),
    ...(namespace
      ? reasons(`${path}.namespace`, namespace, isDNS1123Label(namespace))
      : [field.required(`${path}.namespace`, "")]),
  ]
}

function validateSources(path: string, spec: PersistentVolumeSpec): FieldError[] {
  const out: FieldError[] = []
  let count = 0
  for (const name of sources) {
    if (spec[name] === undefined) continue
    const at = `${path}.${name === "cephfs" ? "cephFS" : name}`
    // A flexible volume is taken beside any other.
    if (count++ > 0 && name !== "flexVolume")
      out.push(field.forbidden(at, "may not specify more than 1 volume type"))
    else if (name === "csi") {
      out.push(...validateDriverName(`${at}.driver`, spec.csi!.driver))
      if (!spec.csi!.volumeHandle) out.push(field.required(`${at}.volumeHandle`, ""))
      for (const ref of secretRefs)
        if (spec.csi![ref]) out.push(...validateSecretReference(`${at}.${ref}`, spec.csi![ref]))
    } else if (name === "hostPath") {
      const { path } = spec.hostPath!
      out.push(...(path ? noBacksteps(`${at}.path`, path) : [field.required(`${at}.path`, "")]))
    } else {
      out.push(...validateLegacySource(at, name, spec))
      if (name === "local" && !spec.nodeAffinity)
        out.push(field.required(`${path}.nodeAffinity`, "Local volume requires node affinity"))
    }
  }
  if (count === 0) out.push(field.required(path, "must specify a volume type"))
  return out
}

const mountOptions = "volume.beta.kubernetes.io/mount-options"
const withoutMountOptions = [
  "hostPath",
  "flocker",
  "fc",
  "flexVolume",
  "portworxVolume",
  "scaleIO",
  "local",
  "storageos",
  "csi",
] as const

/** Rules of a volume, and that its options are for something that is mounted with options. */
export function validatePersistentVolume(volume: Readonly<PersistentVolume>): FieldError[] {
  const { metadata, spec } = volume
  const out = validateVolumeSpec("spec", spec)
  if (metadata.annotations?.[mountOptions] !== undefined && withoutMountOptions.some((name) => spec[name]))
    out.push(
      field.forbidden(
        `metadata.annotations.${mountOptions}`,
        "may not specify mount options for this volume type",
      ),
    )
  return out
}

/** The spec of a volume; `inline` where an attachment has one for a volume that is no object. */
export function validateVolumeSpec(path: string, spec: PersistentVolumeSpec, where?: "inline"): FieldError[] {
  const inline = where === "inline"
  const out: FieldError[] = []
  const notInline = "may not be specified in the context of inline volumes"
  if (inline) {
    if (spec.claimRef) out.push(field.forbidden(`${path}.claimRef`, notInline))
    if (Object.keys(spec.capacity ?? {}).length > 0) out.push(field.forbidden(`${path}.capacity`, notInline))
    if (!spec.csi)
      out.push(field.required(`${path}.csi`, "has to be specified in the context of inline volumes"))
  }
  if (!spec.accessModes?.length) out.push(field.required(`${path}.accessModes`, ""))
  out.push(...validateAccessModes(`${path}.accessModes`, spec.accessModes))
  if (!inline) out.push(...validateCapacity(`${path}.capacity`, spec.capacity))
  const policy = spec.persistentVolumeReclaimPolicy
  const policyPath = `${path}.persistentVolumeReclaimPolicy`
  if (policy && !inline) out.push(...oneOfIfSet(policyPath, policy, ["Delete", "Recycle", "Retain"]))
  if (policy && inline && policy !== "Retain")
    out.push(field.forbidden(policyPath, "may only be Retain in the context of inline volumes"))
  if (spec.nodeAffinity) {
    const at = `${path}.nodeAffinity`
    if (!spec.nodeAffinity.required)
      out.push(field.required(`${at}.required`, "must specify required node constraints"))
    else out.push(...validateNodeSelector(`${at}.required`, spec.nodeAffinity.required))
  }
  out.push(...validateSources(path, spec))
  if (spec.hostPath?.path === "/" && spec.persistentVolumeReclaimPolicy === "Recycle")
    out.push(
      field.forbidden(
        `${path}.persistentVolumeReclaimPolicy`,
        "may not be 'recycle' for a hostPath mount of '/'",
      ),
    )
  const className = spec.storageClassName
  if (className)
    out.push(...reasons(`${path}.storageClassName`, className, nameIsDNSSubdomain(className, false)))
  out.push(...oneOfIfSet(`${path}.volumeMode`, spec.volumeMode, volumeModes))
  const attributes = spec.volumeAttributesClassName
  if (attributes === undefined) return out
  const at = `${path}.volumeAttributesClassName`
  if (attributes === "") out.push(field.required(at, "an empty string is disallowed"))
  else out.push(...reasons(at, attributes, nameIsDNSSubdomain(attributes, false)))
  if (!spec.csi)
    out.push(field.required(`${path}.csi`, "has to be specified when using volumeAttributesClassName"))
  return out
}

function validateCapacity(
  path: string,
  capacity: Readonly<Record<string, string>> | undefined,
): FieldError[] {
  const out: FieldError[] = []
  const names = Object.keys(capacity ?? {})
  if (names.length === 0) out.push(field.required(path, ""))
  if (names.length !== 1 || names[0] !== "storage")
    out.push(field.notSupported(path, goValue("map[]quantity", capacity), ["storage"]))
  for (const name of names) {
    const at = `${path}[${name}]`
    const errors = validateResourceQuantity(at, name, capacity![name]!)
    out.push(...errors)
    if (errors.length === 0 && parseQuantity(capacity![name]!).sign() <= 0)
      out.push(field.invalid(at, capacity![name], positiveMessage))
  }
  return out
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
        `spec.persistentvolumesource is immutable after creation\n${goDiff("core.PersistentVolumeSource", was, now)}`,
      ),
    )
  out.push(...immutable("volumeMode", volume.spec.volumeMode, old.spec.volumeMode))
  if (old.spec.nodeAffinity) {
    const error = immutable(
      "nodeAffinity",
      volume.spec.nodeAffinity,
      old.spec.nodeAffinity,
      "*core.VolumeNodeAffinity",
    )
    out.push(
      ...error.map((one) => ({
        ...one,
        detail: "field is immutable, except for updating from beta label to GA",
      })),
    )
  }
  return out
}
