/** StatefulSet (apps/v1). Mirrors: pkg/registry/apps/statefulset */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { StatefulSet } from "./types.gen.ts"

export const statefulSet: Kind<StatefulSet> = defineKind<StatefulSet>({
  group: "apps",
  version: "v1",
  kind: "StatefulSet",
  plural: "statefulsets",
  shortNames: ["sts"],
  categories: ["all"],
  namespaced: true,
  subresources: ["scale", "status"],
  schema: "io.k8s.api.apps.v1.StatefulSet",
  storagePrefix: "statefulsets",
})
