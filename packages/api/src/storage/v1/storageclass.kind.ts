/** StorageClass (storage.k8s.io/v1). Mirrors: pkg/registry/storage/storageclass */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, nameColumn, text } from "../../columns.ts"
import { nodeLabelDeprecation } from "../../core/v1/node-label.warnings.ts"
import { validateStorageClass } from "./storageclass.validate.ts"
import type { StorageClass } from "./types.gen.ts"

export const storageClass: Kind<StorageClass> = defineKind<StorageClass>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "StorageClass",
  plural: "storageclasses",
  shortNames: ["sc"],
  namespaced: false,
  returnDeletedObject: true,
  schema: "io.k8s.api.storage.v1.StorageClass",
  storagePrefix: "storageclasses",
  columns: [
    nameColumn(({ metadata }) =>
      metadata.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true" ||
      metadata.annotations?.["storageclass.beta.kubernetes.io/is-default-class"] === "true"
        ? `${metadata.name} (default)`
        : metadata.name,
    ),
    text("Provisioner", ({ provisioner }) => provisioner),
    text("ReclaimPolicy", ({ reclaimPolicy }) => reclaimPolicy ?? "Delete"),
    text("VolumeBindingMode", ({ volumeBindingMode }) => volumeBindingMode ?? "Immediate"),
    text("AllowVolumeExpansion", ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false),
    age,
  ],
  setDefaults(obj) {
    obj.reclaimPolicy ??= "Delete"
    obj.volumeBindingMode ??= "Immediate"
  },
  validate: validateStorageClass,
  warnings: ({ allowedTopologies }) =>
    (allowedTopologies ?? []).flatMap(({ matchLabelExpressions }, i) =>
      (matchLabelExpressions ?? []).flatMap(({ key }, j) => {
        const message = nodeLabelDeprecation(key)
        return message ? [`allowedTopologies[${i}].matchLabelExpressions[${j}].key: ${message}`] : []
      }),
    ),
})
