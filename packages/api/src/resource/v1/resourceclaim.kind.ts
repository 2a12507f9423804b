/** ResourceClaim (resource.k8s.io/v1). Mirrors: pkg/registry/resource/resourceclaim */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { setClaimSpecDefaults } from "./claim.defaults.ts"
import { dropDisabledClaimFields } from "./claim.strategy.ts"
import { validateResourceClaimStatus } from "./resourceclaim-status.validate.ts"
import { validateResourceClaim } from "./resourceclaim.validate.ts"
import type { ResourceClaim } from "./types.gen.ts"

export const resourceClaim: Kind<ResourceClaim> = defineKind<ResourceClaim>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "ResourceClaim",
  plural: "resourceclaims",
  namespaced: true,
  subresources: ["status"],
  statusKeeps: "metadata",
  returnDeletedObject: true,
  schema: "io.k8s.api.resource.v1.ResourceClaim",
  storagePrefix: "resourceclaims",
  columns: [
    text("State", ({ metadata, status }) => {
      const states = metadata.deletionTimestamp ? ["deleted"] : []
      if (status.allocation) {
        states.push("allocated")
        if (status.reservedFor && status.reservedFor.length > 0) states.push("reserved")
      } else if (!metadata.deletionTimestamp) states.push("pending")
      return states.join(",")
    }),
    age,
  ],
  validate: validateResourceClaim,
  validateStatusUpdate: validateResourceClaimStatus,
  setDefaults({ spec }) {
    setClaimSpecDefaults(spec)
  },
  prepareForCreate: ({ spec }) => dropDisabledClaimFields(spec),
  prepareForUpdate: ({ spec }, old) => dropDisabledClaimFields(spec, old.spec),
  hasGeneration: false,
})
