/** APIService (apiregistration.k8s.io/v1). Mirrors: pkg/registry/apiregistration/apiservice */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { APIService } from "./types.gen.ts"

export const apiService: Kind<APIService> = defineKind<APIService>({
  group: "apiregistration.k8s.io",
  version: "v1",
  kind: "APIService",
  plural: "apiservices",
  categories: ["api-extensions"],
  namespaced: false,
  subresources: ["status"],
  schema: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
})
