/** ResourceClaimTemplate (resource.k8s.io/v1). Mirrors: pkg/registry/resource/resourceclaimtemplate */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age } from "../../columns.ts"
import { setClaimSpecDefaults } from "./claim.defaults.ts"
import { dropDisabledClaimFields } from "./claim.strategy.ts"
import { validateResourceClaimTemplate } from "./resourceclaim.validate.ts"
import type { ResourceClaimTemplate } from "./types.gen.ts"

export const resourceClaimTemplate: Kind<ResourceClaimTemplate> = defineKind<ResourceClaimTemplate>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "ResourceClaimTemplate",
  plural: "resourceclaimtemplates",
  namespaced: true,
  returnDeletedObject: true,
  schema: "io.k8s.api.resource.v1.ResourceClaimTemplate",
  storagePrefix: "resourceclaimtemplates",
  columns: [age],
  validate: validateResourceClaimTemplate,
  setDefaults({ spec }) {
    setClaimSpecDefaults(spec.spec)
  },
  prepareForCreate: ({ spec }) => dropDisabledClaimFields(spec.spec),
  prepareForUpdate: ({ spec }, old) => dropDisabledClaimFields(spec.spec, old.spec.spec),
})
