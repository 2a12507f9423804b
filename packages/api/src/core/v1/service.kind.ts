/** Service (v1). Mirrors: pkg/registry/core/service */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { Service } from "./types.gen.ts"

export const service: Kind<Service> = defineKind<Service>({
  group: "",
  version: "v1",
  kind: "Service",
  plural: "services",
  shortNames: ["svc"],
  categories: ["all"],
  namespaced: true,
  subresources: [
    {
      name: "proxy",
      verbs: ["create", "delete", "get", "patch", "update"],
      kind: { group: "", version: "v1", kind: "ServiceProxyOptions" },
    },
    "status",
  ],
  schema: "io.k8s.api.core.v1.Service",
  storagePrefix: "services/specs",
})
