/** PersistentVolume (v1). Mirrors: pkg/registry/core/persistentvolume */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { PersistentVolume } from "./types.gen.ts"

export const persistentVolume: Kind<PersistentVolume> = defineKind<PersistentVolume>({
  group: "",
  version: "v1",
  kind: "PersistentVolume",
  plural: "persistentvolumes",
  shortNames: ["pv"],
  namespaced: false,
  subresources: ["status"],
  schema: "io.k8s.api.core.v1.PersistentVolume",
})
