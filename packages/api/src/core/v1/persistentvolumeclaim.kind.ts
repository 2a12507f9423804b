/** PersistentVolumeClaim (v1). Mirrors: pkg/registry/core/persistentvolumeclaim */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { PersistentVolumeClaim } from "./types.gen.ts"

export const persistentVolumeClaim: Kind<PersistentVolumeClaim> = defineKind<PersistentVolumeClaim>({
  group: "",
  version: "v1",
  kind: "PersistentVolumeClaim",
  plural: "persistentvolumeclaims",
  shortNames: ["pvc"],
  namespaced: true,
  subresources: ["status"],
  schema: "io.k8s.api.core.v1.PersistentVolumeClaim",
})
