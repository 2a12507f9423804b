/** VolumeAttributesClass (storage.k8s.io/v1). Mirrors: pkg/registry/storage/volumeattributesclass */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { validateVolumeAttributesClass } from "./volumeattributesclass.validate.ts"
import type { VolumeAttributesClass } from "./types.gen.ts"

export const volumeAttributesClass: Kind<VolumeAttributesClass> = defineKind<VolumeAttributesClass>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "VolumeAttributesClass",
  plural: "volumeattributesclasses",
  shortNames: ["vac"],
  namespaced: false,
  returnDeletedObject: true,
  schema: "io.k8s.api.storage.v1.VolumeAttributesClass",
  storagePrefix: "volumeattributesclasses",
  columns: [text("DriverName", ({ driverName }) => driverName), age],
  validate: validateVolumeAttributesClass,
})
