/** Binding (v1). Mirrors: pkg/registry/core/binding */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { Binding } from "./types.gen.ts"

export const binding: Kind<Binding> = defineKind<Binding>({
  group: "",
  version: "v1",
  kind: "Binding",
  plural: "bindings",
  namespaced: true,
  verbs: ["create"],
  schema: "io.k8s.api.core.v1.Binding",
  hasGeneration: false,
})
