/** ReplicationController (v1). Mirrors: pkg/registry/core/replicationcontroller */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { ReplicationController } from "./types.gen.ts"

export const replicationController: Kind<ReplicationController> = defineKind<ReplicationController>({
  group: "",
  version: "v1",
  kind: "ReplicationController",
  plural: "replicationcontrollers",
  shortNames: ["rc"],
  categories: ["all"],
  namespaced: true,
  subresources: ["scale", "status"],
  schema: "io.k8s.api.core.v1.ReplicationController",
  storagePrefix: "controllers",
})
