/** Secret (v1). Mirrors: pkg/registry/core/secret */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { Secret } from "./types.gen.ts"

export const secret: Kind<Secret> = defineKind<Secret>({
  group: "",
  version: "v1",
  kind: "Secret",
  plural: "secrets",
  namespaced: true,
  schema: "io.k8s.api.core.v1.Secret",
})
