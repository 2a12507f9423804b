/** ResourceClaim (resource.k8s.io/v1). Mirrors: pkg/registry/resource/resourceclaim */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { ResourceClaim } from "./types.gen.ts"

export const resourceClaim: Kind<ResourceClaim> = defineKind<ResourceClaim>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "ResourceClaim",
  plural: "resourceclaims",
  namespaced: true,
  subresources: ["status"],
  schema: "io.k8s.api.resource.v1.ResourceClaim",
  storagePrefix: "resourceclaims",
})
