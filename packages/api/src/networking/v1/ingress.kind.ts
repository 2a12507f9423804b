/** Ingress (networking.k8s.io/v1). Mirrors: pkg/registry/networking/ingress */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { validateIngress } from "./networking.validate.ts"
import type { Ingress, IngressRule } from "./types.gen.ts"

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
  columns: [
    text("Class", ({ spec }) => spec.ingressClassName ?? "<none>"),
    text("Hosts", ({ spec }) => hostsText(spec.rules ?? [])),
    text("Address", ({ status }) => {
      const ingresses = status.loadBalancer?.ingress ?? []
      const addresses = new Set(ingresses.map(({ ip, hostname }) => ip || hostname || ""))
      addresses.delete("")
      return [...addresses].sort().join(",")
    }),
    text("Ports", ({ spec }) => (spec.tls && spec.tls.length > 0 ? "80, 443" : "80")),
    age,
  ],
  validate: validateIngress,
  warnings: ({ metadata, spec }, old) =>
    !old && metadata.annotations?.[classAnnotation] !== undefined && spec.ingressClassName === undefined
      ? [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`]
      : [],
})

const classAnnotation = "kubernetes.io/ingress.class"

function hostsText(rules: readonly IngressRule[]): string {
  const hosts: string[] = []
  let more = false
  for (const { host } of rules) {
    if (hosts.length === 3) more = true
    else if (host) hosts.push(host)
  }
  if (hosts.length === 0) return "*"
  return hosts.join(",") + (more ? ` + ${rules.length - 3} more...` : "")
}
