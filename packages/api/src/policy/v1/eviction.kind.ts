/** Eviction (policy/v1). Mirrors: pkg/registry/policy/eviction */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { Eviction } from "./types.gen.ts"

export const eviction: Kind<Eviction> = defineKind<Eviction>({
  group: "policy",
  version: "v1",
  kind: "Eviction",
  plural: "evictions",
  namespaced: true,
  verbs: [],
  schema: "io.k8s.api.policy.v1.Eviction",
  hasGeneration: false,
})
