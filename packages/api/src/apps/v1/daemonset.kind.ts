/** DaemonSet (apps/v1). Mirrors: pkg/registry/apps/daemonset */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { DaemonSet } from "./types.gen.ts"

export const daemonSet: Kind<DaemonSet> = defineKind<DaemonSet>({
  group: "apps",
  version: "v1",
  kind: "DaemonSet",
  plural: "daemonsets",
  shortNames: ["ds"],
  categories: ["all"],
  namespaced: true,
  subresources: ["status"],
  schema: "io.k8s.api.apps.v1.DaemonSet",
  storagePrefix: "daemonsets",
})
