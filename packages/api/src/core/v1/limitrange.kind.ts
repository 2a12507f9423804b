/** LimitRange (v1). Mirrors: pkg/registry/core/limitrange */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { setLimitRangeDefaults } from "./limit-range.defaults.ts"
import { validateLimitRange } from "./quota.validate.ts"
import type { LimitRange } from "./types.gen.ts"

export const limitRange: Kind<LimitRange> = defineKind<LimitRange>({
  group: "",
  version: "v1",
  kind: "LimitRange",
  plural: "limitranges",
  shortNames: ["limits"],
  namespaced: true,
  schema: "io.k8s.api.core.v1.LimitRange",
  setDefaults: setLimitRangeDefaults,
  // One without a name has a made-up one, however that is.
  prepareForCreate({ metadata }) {
    metadata.name ||= metadata.uid
  },
  allowCreateOnUpdate: true,
  validate: validateLimitRange,
})
