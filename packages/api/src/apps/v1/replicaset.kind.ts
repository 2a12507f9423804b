/** ReplicaSet (apps/v1). Mirrors: pkg/registry/apps/replicaset */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { ReplicaSet } from "./types.gen.ts"

export const replicaSet: Kind<ReplicaSet> = defineKind<ReplicaSet>({
  group: "apps",
  version: "v1",
  kind: "ReplicaSet",
  plural: "replicasets",
  shortNames: ["rs"],
  categories: ["all"],
  namespaced: true,
  subresources: ["scale", "status"],
  schema: "io.k8s.api.apps.v1.ReplicaSet",
  storagePrefix: "replicasets",
})
