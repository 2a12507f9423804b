/** Namespace (v1). Mirrors: pkg/registry/core/namespace */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { Namespace } from "./types.gen.ts"

export const namespace: Kind<Namespace> = defineKind<Namespace>({
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  shortNames: ["ns"],
  namespaced: false,
  verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
  subresources: [{ name: "finalize", verbs: ["update"] }, "status"],
  schema: "io.k8s.api.core.v1.Namespace",
})
