/** ComponentStatus (v1). Mirrors: pkg/registry/core/componentstatus */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { ComponentStatus } from "./types.gen.ts"

export const componentStatus: Kind<ComponentStatus> = defineKind<ComponentStatus>({
  group: "",
  version: "v1",
  kind: "ComponentStatus",
  plural: "componentstatuses",
  shortNames: ["cs"],
  namespaced: false,
  verbs: ["get", "list"],
  schema: "io.k8s.api.core.v1.ComponentStatus",
})
