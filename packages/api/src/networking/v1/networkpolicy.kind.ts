/** NetworkPolicy (networking.k8s.io/v1). Mirrors: pkg/registry/networking/networkpolicy */
import { defineKind, type Kind, warningsForCIDR } from "@knarr/apimachinery"
import { age, selectorOrNone, text } from "../../columns.ts"
import { validateNetworkPolicy } from "./networking.validate.ts"
import type { NetworkPolicy, NetworkPolicyPeer } from "./types.gen.ts"

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
  warnings: ({ spec }) => [
    ...(spec.ingress ?? []).flatMap(({ from }, i) => blockWarnings(`spec.ingress[${i}].from`, from)),
    ...(spec.egress ?? []).flatMap(({ to }, i) => blockWarnings(`spec.egress[${i}].to`, to)),
  ],
})

function blockWarnings(path: string, peers: readonly NetworkPolicyPeer[] = []): string[] {
  return peers.flatMap(({ ipBlock }, i) => {
    if (!ipBlock) return []
    const at = `${path}[${i}].ipBlock`
    const { cidr, except = [] } = ipBlock
    return [
      ...warningsForCIDR(`${at}.cidr`, cidr),
      ...except.flatMap((range, j) => warningsForCIDR(`${at}.except[${j}]`, range)),
    ]
  })
}
