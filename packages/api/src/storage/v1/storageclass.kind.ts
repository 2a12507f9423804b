/** StorageClass (storage.k8s.io/v1). Mirrors: pkg/registry/storage/storageclass */
import { defineKind, type Kind, field, isQualifiedName, semanticEqual } from "@knarr/apimachinery"
import { age, nameColumn, text } from "../../columns.ts"
import { immutableMessage, oneOf, oneOfIfSet, reasons, required } from "../../checks.ts"
import { nodeLabelDeprecation } from "../../core/v1/node-label.warnings.ts"
import type { StorageClass } from "./types.gen.ts"

export const storageClass: Kind<StorageClass> = defineKind<StorageClass>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "StorageClass",
  plural: "storageclasses",
  shortNames: ["sc"],
  namespaced: false,
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
  validate({ provisioner, reclaimPolicy, volumeBindingMode, parameters }) {
    const out = required("provisioner", provisioner)
    if (provisioner)
      out.push(...reasons("provisioner", provisioner, isQualifiedName(provisioner.toLowerCase())))
    if (Object.keys(parameters ?? {}).length > 512) out.push(field.tooLong("parameters", "", 512))
    for (const key of Object.keys(parameters ?? {}))
      if (key === "") out.push(field.invalid("parameters", key, "field can not be empty."))
    return [
      ...out,
      ...oneOfIfSet("reclaimPolicy", reclaimPolicy, ["Delete", "Retain"]),
      ...oneOf("volumeBindingMode", volumeBindingMode, ["Immediate", "WaitForFirstConsumer"]),
    ]
  },
  warnings: ({ allowedTopologies }) =>
    (allowedTopologies ?? []).flatMap(({ matchLabelExpressions }, i) =>
      (matchLabelExpressions ?? []).flatMap(({ key }, j) => {
        const message = nodeLabelDeprecation(key)
        return message ? [`allowedTopologies[${i}].matchLabelExpressions[${j}].key: ${message}`] : []
      }),
    ),
  validateUpdate: (obj, old) =>
    (["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"] as const)
      .filter((name) => !semanticEqual(obj[name], old[name]))
      .map((name) => field.invalid(name, null, immutableMessage)),
})
