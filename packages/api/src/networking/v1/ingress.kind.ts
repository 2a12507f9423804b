/** Ingress (networking.k8s.io/v1). Mirrors: pkg/registry/networking/ingress */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { Ingress } from "./types.gen.ts"

export const ingress: Kind<Ingress> = defineKind<Ingress>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "Ingress",
  plural: "ingresses",
  shortNames: ["ing"],
  namespaced: true,
  subresources: ["status"],
  schema: "io.k8s.api.networking.v1.Ingress",
  storagePrefix: "ingress",
})
