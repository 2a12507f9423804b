/** IngressClass (networking.k8s.io/v1). Mirrors: pkg/registry/networking/ingressclass */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { IngressClass } from "./types.gen.ts"

export const ingressClass: Kind<IngressClass> = defineKind<IngressClass>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "IngressClass",
  plural: "ingressclasses",
  namespaced: false,
  schema: "io.k8s.api.networking.v1.IngressClass",
  storagePrefix: "ingressclasses",
})
