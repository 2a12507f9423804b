/** Endpoints (v1). Mirrors: pkg/registry/core/endpoints */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { Endpoints } from "./types.gen.ts"

export const endpoints: Kind<Endpoints> = defineKind<Endpoints>({
  group: "",
  version: "v1",
  kind: "Endpoints",
  plural: "endpoints",
  shortNames: ["ep"],
  namespaced: true,
  schema: "io.k8s.api.core.v1.Endpoints",
  storagePrefix: "services/endpoints",
})
