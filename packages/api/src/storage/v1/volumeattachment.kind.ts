/** VolumeAttachment (storage.k8s.io/v1). Mirrors: pkg/registry/storage/volumeattachment */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, boolean, text } from "../../columns.ts"
import { validateVolumeAttachment, validateVolumeAttachmentUpdate } from "./volumeattachment.validate.ts"
import type { VolumeAttachment } from "./types.gen.ts"

export const volumeAttachment: Kind<VolumeAttachment> = defineKind<VolumeAttachment>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "VolumeAttachment",
  plural: "volumeattachments",
  namespaced: false,
  subresources: ["status"],
  statusKeeps: "metadata",
  returnDeletedObject: true,
  schema: "io.k8s.api.storage.v1.VolumeAttachment",
  storagePrefix: "volumeattachments",
  columns: [
    { name: "Attacher", type: "string", format: "name", read: ({ spec }) => spec.attacher },
    text("PV", ({ spec }) => spec.source.persistentVolumeName ?? ""),
    text("Node", ({ spec }) => spec.nodeName),
    boolean("Attached", ({ status }) => status.attached),
    age,
  ],
  hasGeneration: false,
  allowUnconditionalUpdate: false,
  validate: validateVolumeAttachment,
  validateUpdate: validateVolumeAttachmentUpdate,
  validateStatusUpdate: validateVolumeAttachment,
})
