/**
 * Validation of volume sources that pods and persistent volumes share, most of them of another age.
 * Mirrors: pkg/apis/core/validation/validation.go
 */
import { field, isDNS1123Subdomain } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { tableOf } from "@knarr/base"
import { noBacksteps, oneOfIfSet, reasons, required } from "../../checks.ts"
import type { PersistentVolumeSpec, Volume } from "./types.gen.ts"

/** The name of a CSI driver: a DNS name of at most 63 characters. */
export function validateDriverName(path: string, name: string | undefined): FieldError[] {
  if (!name) return [field.required(path, "")]
  const out: FieldError[] = []
  if (name.length > 63) out.push(field.tooLong(path, "", 63))
  return [...out, ...reasons(path, name, isDNS1123Subdomain(name.toLowerCase()))]
}

type Sources = Partial<Omit<Volume, "name">> & Partial<PersistentVolumeSpec>

/** Fields that a source cannot be without. */
const demanded: Readonly<Record<string, readonly string[]>> = tableOf({
  gitRepo: ["repository"],
  gcePersistentDisk: ["pdName"],
  awsElasticBlockStore: ["volumeID"],
  nfs: ["server", "path"],
  glusterfs: ["endpoints", "path"],
  rbd: ["monitors", "image"],
  cinder: ["volumeID"],
  cephfs: ["monitors"],
  flexVolume: ["driver"],
  azureFile: ["secretName", "shareName"],
  vsphereVolume: ["volumePath"],
  photonPersistentDisk: ["pdID"],
  portworxVolume: ["volumeID"],
  azureDisk: ["diskName", "diskURI"],
  storageos: ["volumeName"],
  scaleIO: ["gateway", "system", "volumeName"],
  iscsi: ["targetPortal", "iqn"],
  local: ["path"],
})

const iqnPattern =
  /^iqn\.\d{4}-\d{2}\.([a-z0-9.-]+)(:[^,;*&$|\s]+)$|^eui\.[0-9A-Fa-f]{16}$|^naa\.[0-9A-Fa-f]{32}$/

/** How the address of a disk begins, and its whole form. */
const managedDisk = [
  "/subscriptions/",
  "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
] as const
const blobDisk = [
  "https://",
  "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
] as const

/** Names of sources inside of which the published release finds errors under another name. */
const otherNames: Readonly<Record<string, string>> = tableOf({
  gcePersistentDisk: "persistentDisk",
  cephfs: "cephfs",
})

/** Checks the source called `name`. `at` is the source's own path. */
export function validateLegacySource(at: string, name: string, holder: object): FieldError[] {
  const path = otherNames[name] ? at.replace(/[^.]*$/, otherNames[name]) : at
  const sources = holder as Sources
  const source = sources[name as keyof Sources] as Readonly<Record<string, unknown>>
  const out: FieldError[] = []
  for (const wanted of demanded[name] ?? []) {
    const value = source[wanted]
    if (Array.isArray(value) ? value.length === 0 : !value) out.push(field.required(`${path}.${wanted}`, ""))
  }
  if (name === "nfs" && !sources.nfs?.path?.startsWith("/"))
    out.push(field.invalid(`${path}.path`, sources.nfs?.path ?? "", "must be an absolute path"))
  if (name === "local" && sources.local?.path) out.push(...noBacksteps(`${path}.path`, sources.local.path))
  if (name === "gcePersistentDisk" || name === "awsElasticBlockStore") {
    const partition = source["partition"] as number | undefined
    if (partition !== undefined && (partition < 0 || partition > 255))
      out.push(field.invalid(`${path}.partition`, partition, "must be between 0 and 255, inclusive"))
  }
  if (name === "iscsi" && sources.iscsi) {
    const { iqn, lun, chapAuthDiscovery, chapAuthSession, secretRef } = sources.iscsi
    if (iqn && !/^(iqn|eui|naa)\./.test(iqn))
      out.push(field.invalid(`${path}.iqn`, iqn, "must be valid format starting with iqn, eui, or naa"))
    else if (iqn && !iqnPattern.test(iqn)) out.push(field.invalid(`${path}.iqn`, iqn, "must be valid format"))
    if (lun < 0 || lun > 255)
      out.push(field.invalid(`${path}.lun`, lun, "must be between 0 and 255, inclusive"))
    if ((chapAuthDiscovery || chapAuthSession) && !secretRef)
      out.push(field.required(`${path}.secretRef`, ""))
  }
  if (name === "fc" && sources.fc) {
    const { targetWWNs = [], wwids = [], lun } = sources.fc
    if (targetWWNs.length === 0 && wwids.length === 0)
      out.push(field.required(`${path}.targetWWNs`, "must specify either targetWWNs or wwids, but not both"))
    if (targetWWNs.length > 0 && wwids.length > 0)
      out.push(
        field.invalid(
          `${path}.targetWWNs`,
          targetWWNs,
          "targetWWNs and wwids can not be specified simultaneously",
        ),
      )
    if (targetWWNs.length > 0) {
      if (lun === undefined)
        out.push(field.required(`${path}.lun`, "lun is required if targetWWNs is specified"))
      else if (lun < 0 || lun > 255)
        out.push(field.invalid(`${path}.lun`, lun, "must be between 0 and 255, inclusive"))
    }
  }
  if (name === "flocker" && sources.flocker) {
    const { datasetName, datasetUUID } = sources.flocker
    if (!datasetName && !datasetUUID)
      out.push(field.required(path, "one of datasetName and datasetUUID is required"))
    if (datasetName && datasetUUID)
      out.push(
        field.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"),
      )
    if (datasetName?.includes("/"))
      out.push(field.invalid(`${path}.datasetName`, datasetName, "must not contain '/'"))
  }
  if (name === "quobyte" && sources.quobyte) {
    const detail = "must be a host:port pair or multiple pairs separated by commas"
    if (!sources.quobyte.registry) out.push(field.required(`${path}.registry`, detail))
    else if (!sources.quobyte.registry.split(",").every((pair) => /^[^:]*:\d+$/.test(pair)))
      out.push(field.invalid(`${path}.registry`, sources.quobyte.registry, detail))
    out.push(...required(`${path}.volume`, sources.quobyte.volume))
  }
  if (name === "azureDisk" && sources.azureDisk) {
    out.push(
      ...oneOfIfSet(`${path}.cachingMode`, sources.azureDisk.cachingMode, ["None", "ReadOnly", "ReadWrite"]),
      ...oneOfIfSet(`${path}.kind`, sources.azureDisk.kind, ["Dedicated", "Managed", "Shared"]),
    )
    const { kind, diskURI = "" } = sources.azureDisk
    const [start, whole] = kind === "Managed" ? managedDisk : blobDisk
    if (kind !== undefined && !diskURI.startsWith(start))
      out.push(field.notSupported(`${path}.diskURI`, diskURI, [whole]))
  }
  return out
}
