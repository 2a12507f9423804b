/** ResourceQuota (v1). Mirrors: pkg/registry/core/resourcequota */
import { defineKind, type Kind, canonicalQuantity } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { roundUpResources } from "./quantities.defaults.ts"
import { validateResourceQuota, validateResourceQuotaUpdate } from "./quota.validate.ts"
import { quotaWarnings } from "./quota.warnings.ts"
import type { ResourceQuota } from "./types.gen.ts"

export const resourceQuota: Kind<ResourceQuota> = defineKind<ResourceQuota>({
  group: "",
  version: "v1",
  kind: "ResourceQuota",
  plural: "resourcequotas",
  shortNames: ["quota"],
  namespaced: true,
  subresources: ["status"],
  returnDeletedObject: true,
  schema: "io.k8s.api.core.v1.ResourceQuota",
  columns: [
    text("Request", (quota) => usageText(quota, false)),
    text("Limit", (quota) => usageText(quota, true)),
    age,
  ],
  setDefaults(obj) {
    obj.spec ??= {}
    obj.status ??= {}
    roundUpResources(obj.spec.hard)
    roundUpResources(obj.status.hard)
    roundUpResources(obj.status.used)
  },
  hasGeneration: false,
  validate: validateResourceQuota,
  validateUpdate: validateResourceQuotaUpdate,
  warnings: (quota, old) => (old ? [] : quotaWarnings(quota)),
})

/** `pods: 1/10, …` of the limits, or of everything else. */
function usageText({ status }: ResourceQuota, limits: boolean): string {
  return Object.keys(status.hard ?? {})
    .filter((resource) => resource.startsWith("limits.") === limits)
    .sort()
    .map((resource) => {
      const used = canonicalQuantity(status.used?.[resource] ?? "0")
      return `${resource}: ${used}/${canonicalQuantity(status.hard![resource]!)}`
    })
    .join(", ")
}
