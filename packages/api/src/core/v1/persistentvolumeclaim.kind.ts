/** PersistentVolumeClaim (v1). Mirrors: pkg/registry/core/persistentvolumeclaim */
import { defineKind, type Kind, canonicalQuantity } from "@knarr/apimachinery"
import { accessModesText, age, text, wide } from "../../columns.ts"
import { setClaimDefaults } from "./claim.defaults.ts"
import { validateClaimSpec, validateClaimUpdate } from "./claim.validate.ts"
import { claimWarnings } from "./claim.warnings.ts"
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from "./types.gen.ts"

export const persistentVolumeClaim: Kind<PersistentVolumeClaim> = defineKind<PersistentVolumeClaim>({
  group: "",
  version: "v1",
  kind: "PersistentVolumeClaim",
  plural: "persistentvolumeclaims",
  shortNames: ["pvc"],
  namespaced: true,
  subresources: ["status"],
  returnDeletedObject: true,
  schema: "io.k8s.api.core.v1.PersistentVolumeClaim",
  columns: [
    text("Status", ({ metadata, status }) =>
      metadata.deletionTimestamp ? "Terminating" : (status.phase ?? ""),
    ),
    text("Volume", ({ spec }) => spec.volumeName ?? ""),
    text("Capacity", ({ spec, status }) =>
      spec.volumeName ? canonicalQuantity(status.capacity?.["storage"] ?? "0") : "",
    ),
    text("Access Modes", ({ spec, status }) => (spec.volumeName ? accessModesText(status.accessModes) : "")),
    text(
      "StorageClass",
      ({ metadata, spec }) =>
        metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec.storageClassName ?? "",
    ),
    text("VolumeAttributesClass", ({ spec }) => spec.volumeAttributesClassName ?? "<unset>"),
    age,
    wide("VolumeMode", ({ spec }) => spec.volumeMode ?? "<unset>"),
  ],
  setDefaults: setClaimDefaults,
  hasGeneration: false,
  prepareForCreate(obj) {
    obj.status = { phase: "Pending" }
    copyDataSource(obj.spec)
  },
  prepareForUpdate(obj, old) {
    copyDataSource(obj.spec, old.spec)
  },
  validate: ({ spec }) => validateClaimSpec("spec", spec),
  validateUpdate: validateClaimUpdate,
  warnings: claimWarnings,
})

/**
 * `dataSource` and `dataSourceRef` mean the same within a namespace: one fills the other. Alone, `dataSource` is taken for
 * nothing when it is neither a claim nor a snapshot, but for claims that have a source already.
 */
function copyDataSource(spec: PersistentVolumeClaimSpec, old?: PersistentVolumeClaimSpec): void {
  const hadOne = old?.dataSource !== undefined || old?.dataSourceRef !== undefined
  if (!hadOne && !spec.dataSourceRef && !isKnownSource(spec.dataSource)) delete spec.dataSource
  const { dataSource, dataSourceRef } = spec
  if (dataSource && !dataSourceRef) spec.dataSourceRef = { ...dataSource }
  else if (dataSourceRef && !dataSource && !dataSourceRef.namespace) {
    const { namespace: _, ...source } = dataSourceRef
    spec.dataSource = source
  }
}

function isKnownSource(source: PersistentVolumeClaimSpec["dataSource"]): boolean {
  if (source?.kind === "PersistentVolumeClaim") return !source.apiGroup
  return source?.kind === "VolumeSnapshot" && source.apiGroup === "snapshot.storage.k8s.io"
}
