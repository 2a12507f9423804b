/** CSIDriver (storage.k8s.io/v1). Mirrors: pkg/registry/storage/csidriver */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { CSIDriver } from "./types.gen.ts"

export const csiDriver: Kind<CSIDriver> = defineKind<CSIDriver>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSIDriver",
  plural: "csidrivers",
  namespaced: false,
  schema: "io.k8s.api.storage.v1.CSIDriver",
  storagePrefix: "csidrivers",
})
