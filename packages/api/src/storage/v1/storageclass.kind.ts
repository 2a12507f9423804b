/** StorageClass (storage.k8s.io/v1). Mirrors: pkg/registry/storage/storageclass */
import { defineKind, type Kind } from "@knarr/apimachinery"
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
})
