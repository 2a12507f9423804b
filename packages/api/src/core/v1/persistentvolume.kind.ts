/** PersistentVolume (v1). Mirrors: pkg/registry/core/persistentvolume */
import { defineKind, type Kind, canonicalQuantity, formatTime } from "@knarr/apimachinery"
import { accessModesText, age, text, wide } from "../../columns.ts"
import { roundUpResources } from "./quantities.defaults.ts"
import { setPersistentVolumeSourceDefaults } from "./volume.defaults.ts"
import { validatePersistentVolume, validatePersistentVolumeUpdate } from "./persistent-volume.validate.ts"
import { volumeWarnings } from "./claim.warnings.ts"
import type { PersistentVolume } from "./types.gen.ts"

export const persistentVolume: Kind<PersistentVolume> = defineKind<PersistentVolume>({
  group: "",
  version: "v1",
  kind: "PersistentVolume",
  plural: "persistentvolumes",
  shortNames: ["pv"],
  namespaced: false,
  subresources: ["status"],
  returnDeletedObject: true,
  schema: "io.k8s.api.core.v1.PersistentVolume",
  columns: [
    text("Capacity", ({ spec }) => canonicalQuantity(spec.capacity?.["storage"] ?? "0")),
    text("Access Modes", ({ spec }) => accessModesText(spec.accessModes)),
    text("Reclaim Policy", ({ spec }) => spec.persistentVolumeReclaimPolicy ?? ""),
    text("Status", ({ metadata, status }) =>
      metadata.deletionTimestamp ? "Terminating" : (status.phase ?? ""),
    ),
    text("Claim", ({ spec }) =>
      spec.claimRef ? `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}` : "",
    ),
    text(
      "StorageClass",
      ({ metadata, spec }) =>
        metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec.storageClassName ?? "",
    ),
    text("VolumeAttributesClass", ({ spec }) => spec.volumeAttributesClassName ?? "<unset>"),
    text("Reason", ({ status }) => status.reason ?? ""),
    age,
    wide("VolumeMode", ({ spec }) => spec.volumeMode ?? "<unset>"),
  ],
  setDefaults(obj) {
    obj.spec ??= {}
    obj.status ??= {}
    obj.status.phase ||= "Pending"
    obj.spec.persistentVolumeReclaimPolicy ||= "Retain"
    obj.spec.volumeMode ??= "Filesystem"
    roundUpResources(obj.spec.capacity)
    setPersistentVolumeSourceDefaults(obj.spec)
  },
  hasGeneration: false,
  prepareForCreate(obj, { nowMs }) {
    obj.status = { phase: "Pending", lastPhaseTransitionTime: formatTime(nowMs) }
  },
  prepareForStatusUpdate(obj, old, { nowMs }) {
    const { status } = obj
    const before = old.status.lastPhaseTransitionTime
    if (status.phase === old.status.phase) {
      if (before !== undefined) status.lastPhaseTransitionTime ??= before
    } else if ((status.lastPhaseTransitionTime ?? before) === before)
      status.lastPhaseTransitionTime = formatTime(nowMs)
  },
  validate: validatePersistentVolume,
  validateUpdate: validatePersistentVolumeUpdate,
  warnings: volumeWarnings,
})
