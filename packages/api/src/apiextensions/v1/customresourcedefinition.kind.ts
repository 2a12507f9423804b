/** CustomResourceDefinition (apiextensions.k8s.io/v1). Mirrors: pkg/registry/apiextensions/customresourcedefinition */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { CustomResourceDefinition } from "./types.gen.ts"

export const customResourceDefinition: Kind<CustomResourceDefinition> = defineKind<CustomResourceDefinition>({
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  shortNames: ["crd", "crds"],
  categories: ["api-extensions"],
  namespaced: false,
  subresources: ["status"],
  schema: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
})
