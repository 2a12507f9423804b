/** Validation of a pod's volumes. Mirrors: pkg/apis/core/validation/validation.go (ValidateVolumes) */
import {
  field,
  isDNS1123Label,
  nameIsDNSSubdomain,
  parseQuantity,
  validateObjectMeta,
} from "@knarr/apimachinery"
import type { FieldError, ObjectMeta } from "@knarr/apimachinery"
import { descendingPath, noBacksteps, oneOf, reasons, required } from "../../checks.ts"
import {
  validateCertificateProjection,
  validateTrustBundleProjection,
} from "./certificate-projections.validate.ts"
import { validateClaimSpec } from "./claim.validate.ts"
import { validateFieldRef, validateResourceFieldRef, volumeFieldPaths } from "./env.validate.ts"
import { validateDriverName, validateLegacySource } from "./volume-source.validate.ts"
import type { DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume } from "./types.gen.ts"

const fileModeMessage = "must be a number between 0 and 0777 (octal), both inclusive"
const hostPathTypes = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
]
const oneTypeMessage = "may not specify more than 1 volume type"

/** In the order in which upstream looks at them. */
const sources = [
  "emptyDir",
  "hostPath",
  "gitRepo",
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "secret",
  "nfs",
  "iscsi",
  "glusterfs",
  "flocker",
  "persistentVolumeClaim",
  "rbd",
  "cinder",
  "cephfs",
  "quobyte",
  "downwardAPI",
  "fc",
  "flexVolume",
  "configMap",
  "azureFile",
  "vsphereVolume",
  "photonPersistentDisk",
  "portworxVolume",
  "azureDisk",
  "storageos",
  "projected",
  "scaleIO",
  "csi",
  "ephemeral",
  "image",
] as const

/** Checks the volumes and answers those that mounts can name. */
export function validateVolumes(
  path: string,
  volumes: readonly Volume[] | undefined,
  podName: string | undefined,
): { errors: FieldError[]; byName: Map<string, Volume> } {
  const errors: FieldError[] = []
  const byName = new Map<string, Volume>()
  const created = new Set<string>()
  for (const volume of volumes ?? []) if (volume.ephemeral) created.add(`${podName ?? ""}-${volume.name}`)
  for (const [i, volume] of (volumes ?? []).entries()) {
    const at = `${path}[${i}]`
    const own = validateSource(at, volume, podName)
    if (!volume.name) own.push(field.required(`${at}.name`, ""))
    else own.push(...reasons(`${at}.name`, volume.name, isDNS1123Label(volume.name)))
    if (byName.has(volume.name)) own.push(field.duplicate(`${at}.name`, volume.name))
    if (own.length === 0) byName.set(volume.name, volume)
    errors.push(...own)
    const claim = volume.persistentVolumeClaim?.claimName
    if (podName && claim !== undefined && created.has(claim)) {
      const detail = "must not reference a PVC that gets created for an ephemeral volume"
      errors.push(field.invalid(`${at}.persistentVolumeClaim.claimName`, claim, detail))
    }
  }
  return { errors, byName }
}

function validateSource(path: string, volume: Volume, podName: string | undefined): FieldError[] {
  const out: FieldError[] = []
  let found = false
  for (const name of sources) {
    if (volume[name] === undefined) continue
    if (name === "emptyDir") {
      found = true
      const limit = volume.emptyDir?.sizeLimit
      if (limit !== undefined && parseQuantity(limit).sign() < 0)
        out.push(
          field.forbidden(`${path}.emptyDir.sizeLimit`, "SizeLimit field must be a valid resource quantity"),
        )
      continue
    }
    const at = `${path}.${name === "cephfs" ? "cephFS" : name}`
    // The published release misspells this one.
    if (found) out.push(field.forbidden(at.replace(/downwardAPI$/, "downwarAPI"), oneTypeMessage))
    else out.push(...validateOne(at, path, name, volume, podName))
    found = true
  }
  if (!found) out.push(field.required(path, "must specify a volume type"))
  return out
}

function validateOne(
  at: string,
  path: string,
  name: (typeof sources)[number],
  volume: Volume,
  podName: string | undefined,
): FieldError[] {
  switch (name) {
    case "hostPath": {
      const { path: host = "", type } = volume.hostPath!
      const out = host ? noBacksteps(`${at}.path`, host) : [field.required(`${at}.path`, "")]
      if (type !== undefined && !hostPathTypes.includes(type))
        out.push(field.notSupported(`${at}.type`, type, hostPathTypes))
      return out
    }
    case "secret": {
      const { secretName, defaultMode, items } = volume.secret!
      return [
        ...required(`${at}.secretName`, secretName),
        ...fileMode(`${at}.defaultMode`, defaultMode),
        ...keysToPaths(`${at}.items`, items),
      ]
    }
    case "configMap": {
      const { name: map, defaultMode, items } = volume.configMap!
      return [
        ...required(`${at}.name`, map),
        ...fileMode(`${at}.defaultMode`, defaultMode),
        ...keysToPaths(`${at}.items`, items),
      ]
    }
    case "downwardAPI": {
      const { defaultMode, items } = volume.downwardAPI!
      return [...fileMode(`${at}.defaultMode`, defaultMode), ...downwardFiles(at, items)]
    }
    case "persistentVolumeClaim":
      return required(`${at}.claimName`, volume.persistentVolumeClaim!.claimName)
    case "projected":
      return validateProjected(at, volume.projected!)
    case "csi": {
      const { driver, nodePublishSecretRef } = volume.csi!
      const out = validateDriverName(`${at}.driver`, driver)
      if (nodePublishSecretRef) {
        const secret = nodePublishSecretRef.name ?? ""
        if (!secret) out.push(field.required(`${at}.nodePublishSecretRef.name`, ""))
        else out.push(...reasons(`${at}.name`, secret, nameIsDNSSubdomain(secret, false)))
      }
      return out
    }
    case "ephemeral": {
      const template = volume.ephemeral!.volumeClaimTemplate
      const out = template
        ? [
            ...validateClaimTemplateMeta(`${at}.volumeClaimTemplate.metadata`, template.metadata),
            ...validateClaimSpec(`${at}.volumeClaimTemplate.spec`, template.spec),
          ]
        : [field.required(`${at}.volumeClaimTemplate`, "")]
      if (podName) {
        const claim = `${podName}-${volume.name}`
        for (const why of nameIsDNSSubdomain(claim, false))
          out.push(field.invalid(`${path}.name`, volume.name, `PVC name ${JSON.stringify(claim)}: ${why}`))
      }
      return out
    }
    case "image": {
      const { pullPolicy, reference } = volume.image!
      return [
        ...required(`${at}.reference`, reference),
        ...oneOf(`${at}.pullPolicy`, pullPolicy, ["Always", "IfNotPresent", "Never"]),
      ]
    }
    default:
      return validateLegacySource(at, name, volume)
  }
}

const claimTemplateMetaFields = new Set(["annotations", "labels"])

/** A claim template has no name of its own, and little else. */
function validateClaimTemplateMeta(path: string, meta: Partial<ObjectMeta>): FieldError[] {
  const out = validateObjectMeta({ ...meta, name: "x" } as ObjectMeta, false, () => [], path)
  for (const name of Object.keys(meta ?? {})) {
    if (!claimTemplateMetaFields.has(name) && meta[name as keyof ObjectMeta] !== undefined)
      out.push(field.forbidden(`${path}.${name}`, "cannot be set for an ephemeral volume"))
  }
  return out
}

function fileMode(path: string, mode: number | undefined): FieldError[] {
  return mode !== undefined && (mode < 0 || mode > 0o777) ? [field.invalid(path, mode, fileModeMessage)] : []
}

/** A relative path that does not start with `..`. */
function localPath(path: string, value: string): FieldError[] {
  const out = descendingPath(path, value)
  if (value.startsWith("..") && !value.startsWith("../"))
    out.push(field.invalid(path, value, "must not start with '..'"))
  return out
}

function keyToPath(at: string, item: KeyToPath): FieldError[] {
  return [
    ...required(`${at}.key`, item.key),
    ...(item.path ? localPath(`${at}.path`, item.path) : [field.required(`${at}.path`, "")]),
    ...fileMode(`${at}.mode`, item.mode),
  ]
}

function keysToPaths(path: string, items: readonly KeyToPath[] | undefined): FieldError[] {
  return (items ?? []).flatMap((item, i) => keyToPath(`${path}[${i}]`, item))
}

function downwardFile(path: string, file: DownwardAPIVolumeFile): FieldError[] {
  const out = file.path ? localPath(`${path}.path`, file.path) : [field.required(`${path}.path`, "")]
  if (file.fieldRef) {
    out.push(...validateFieldRef(`${path}.fieldRef`, file.fieldRef, volumeFieldPaths))
    if (file.resourceFieldRef)
      out.push(
        field.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"),
      )
  } else if (file.resourceFieldRef) {
    out.push(...validateResourceFieldRef(`${path}.resourceFieldRef`, file.resourceFieldRef, true))
  } else {
    out.push(field.required(path, "one of fieldRef and resourceFieldRef is required"))
  }
  return [...out, ...fileMode(`${path}.mode`, file.mode)]
}

function downwardFiles(path: string, items: readonly DownwardAPIVolumeFile[] | undefined): FieldError[] {
  return (items ?? []).flatMap((file) => downwardFile(path, file))
}

function validateProjected(path: string, projected: ProjectedVolumeSource): FieldError[] {
  const out = fileMode(`${path}.defaultMode`, projected.defaultMode)
  const taken = new Set<string>()
  const take = (file: string, value: unknown): FieldError[] => {
    if (!file) return []
    const isTaken = taken.has(file)
    taken.add(file)
    return isTaken ? [field.invalid(path, value, "conflicting duplicate paths")] : []
  }
  const newFile = (at: string, file: string): FieldError[] => [...localPath(at, file), ...take(file, file)]
  for (const [i, source] of (projected.sources ?? []).entries()) {
    const at = `${path}.sources[${i}]`
    const kinds = (
      [
        "secret",
        "configMap",
        "downwardAPI",
        "serviceAccountToken",
        "clusterTrustBundle",
        "podCertificate",
      ] as const
    ).filter((kind) => source[kind] !== undefined)
    for (const kind of ["secret", "configMap"] as const) {
      const ref = source[kind]
      if (!ref) continue
      out.push(...required(`${at}.${kind}.name`, ref.name))
      for (const [j, item] of (ref.items ?? []).entries()) {
        out.push(...keyToPath(`${at}.${kind}.items[${j}]`, item))
        out.push(...take(item.path, ref.name))
      }
    }
    for (const file of source.downwardAPI?.items ?? []) {
      out.push(...downwardFile(`${at}.downwardAPI`, file))
      out.push(...take(file.path, file.path))
    }
    if (source.serviceAccountToken) {
      const { expirationSeconds: seconds, path: file } = source.serviceAccountToken
      const where = `${at}.serviceAccountToken`
      if (seconds === undefined) out.push(field.required(`${where}.expirationSeconds`, ""))
      else if (seconds < 600)
        out.push(
          field.invalid(
            `${where}.expirationSeconds`,
            seconds,
            "may not specify a duration less than 10 minutes",
          ),
        )
      else if (seconds > 2 ** 32)
        out.push(
          field.invalid(
            `${where}.expirationSeconds`,
            seconds,
            "may not specify a duration larger than 2^32 seconds",
          ),
        )
      if (!file) out.push(field.required(`${path}.path`, ""))
      else out.push(...newFile(`${path}.path`, file))
    }
    const { clusterTrustBundle, podCertificate } = source
    if (clusterTrustBundle)
      out.push(...validateTrustBundleProjection(`${at}.clusterTrustBundle`, clusterTrustBundle, newFile))
    if (podCertificate)
      out.push(...validateCertificateProjection(`${at}.podCertificate`, podCertificate, newFile))
    if (kinds.length > 1) out.push(field.forbidden(at, "may not specify more than 1 volume type per source"))
  }
  return out
}
