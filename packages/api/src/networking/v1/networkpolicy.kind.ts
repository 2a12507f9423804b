/** NetworkPolicy (networking.k8s.io/v1). Mirrors: pkg/registry/networking/networkpolicy */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { NetworkPolicy } from "./types.gen.ts"

export const networkPolicy: Kind<NetworkPolicy> = defineKind<NetworkPolicy>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "NetworkPolicy",
  plural: "networkpolicies",
  shortNames: ["netpol"],
  namespaced: true,
  schema: "io.k8s.api.networking.v1.NetworkPolicy",
  storagePrefix: "networkpolicies",
})
