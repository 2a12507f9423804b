/** ServiceCIDR (networking.k8s.io/v1). Mirrors: pkg/registry/networking/servicecidr */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { validateServiceCIDR } from "./servicecidr.validate.ts"
import type { ServiceCIDR } from "./types.gen.ts"

export const serviceCIDR: Kind<ServiceCIDR> = defineKind<ServiceCIDR>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "ServiceCIDR",
  plural: "servicecidrs",
  namespaced: false,
  subresources: ["status"],
  statusKeeps: "metadata",
  schema: "io.k8s.api.networking.v1.ServiceCIDR",
  storagePrefix: "servicecidrs",
  columns: [text("CIDRs", ({ spec }) => (spec.cidrs ?? []).join(",")), age],
  hasGeneration: false,
  validate: validateServiceCIDR,
})
