/** Deployment (apps/v1). Mirrors: pkg/registry/apps/deployment */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { Deployment } from "./types.gen.ts"

export const deployment: Kind<Deployment> = defineKind<Deployment>({
  group: "apps",
  version: "v1",
  kind: "Deployment",
  plural: "deployments",
  shortNames: ["deploy"],
  categories: ["all"],
  namespaced: true,
  subresources: ["scale", "status"],
  schema: "io.k8s.api.apps.v1.Deployment",
  storagePrefix: "deployments",
})
