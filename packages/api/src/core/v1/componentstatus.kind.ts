/** ComponentStatus (v1). Mirrors: pkg/registry/core/componentstatus */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { text } from "../../columns.ts"
import type { ComponentStatus } from "./types.gen.ts"

export const componentStatus: Kind<ComponentStatus> = defineKind<ComponentStatus>({
  group: "",
  version: "v1",
  kind: "ComponentStatus",
  plural: "componentstatuses",
  shortNames: ["cs"],
  namespaced: false,
  deprecation: "v1 ComponentStatus is deprecated in v1.19+",
  verbs: ["get", "list"],
  schema: "io.k8s.api.core.v1.ComponentStatus",
  columns: [
    text("Status", ({ conditions }) => {
      const healthy = conditions?.find(({ type }) => type === "Healthy")
      return healthy ? (healthy.status === "True" ? "Healthy" : "Unhealthy") : "Unknown"
    }),
    text("Message", ({ conditions }) => conditions?.find(({ type }) => type === "Healthy")?.message ?? ""),
    text("Error", ({ conditions }) => conditions?.find(({ type }) => type === "Healthy")?.error ?? ""),
  ],
})
