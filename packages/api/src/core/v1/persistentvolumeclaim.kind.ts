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
  prepareForUpdate(obj) {
    copyDataSource(obj.spec)
  },
  validate: ({ spec }) => validateClaimSpec("spec", spec),
  validateUpdate: validateClaimUpdate,
  warnings: claimWarnings,
})

/** `dataSource` and `dataSourceRef` mean the same within a namespace: one fills the other. */
function copyDataSource(spec: PersistentVolumeClaimSpec): void {
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource }
  else if (spec.dataSourceRef && !spec.dataSource && spec.dataSourceRef.namespace === undefined) {
    const { apiGroup, kind, name } = spec.dataSourceRef
    const volume = !apiGroup && kind === "PersistentVolumeClaim"
    const snapshot = apiGroup === "snapshot.storage.k8s.io" && kind === "VolumeSnapshot"
    if (volume || snapshot) spec.dataSource = { ...(apiGroup ? { apiGroup } : {}), kind, name }
  }
}
