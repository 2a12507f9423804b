/** ResourceQuota (v1). Mirrors: pkg/registry/core/resourcequota */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { ResourceQuota } from "./types.gen.ts"

export const resourceQuota: Kind<ResourceQuota> = defineKind<ResourceQuota>({
  group: "",
  version: "v1",
  kind: "ResourceQuota",
  plural: "resourcequotas",
  shortNames: ["quota"],
  namespaced: true,
  subresources: ["status"],
  schema: "io.k8s.api.core.v1.ResourceQuota",
})
