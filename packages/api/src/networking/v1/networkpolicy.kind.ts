/** NetworkPolicy (networking.k8s.io/v1). Mirrors: pkg/registry/networking/networkpolicy */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, selectorOrNone, text } from "../../columns.ts"
import { validateNetworkPolicy } from "./networking.validate.ts"
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
  columns: [text("Pod-Selector", ({ spec }) => selectorOrNone(spec.podSelector)), age],
  setDefaults({ spec }) {
    if (!spec.policyTypes?.length)
      spec.policyTypes = spec.egress?.length ? ["Ingress", "Egress"] : ["Ingress"]
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
      for (const port of rule.ports ?? []) port.protocol ??= "TCP"
  },
  hasGeneration: true,
  validate: validateNetworkPolicy,
})
