/** Scale (autoscaling/v1). Mirrors: pkg/registry/autoscaling/scale */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { Scale } from "./types.gen.ts"

export const scale: Kind<Scale> = defineKind<Scale>({
  group: "autoscaling",
  version: "v1",
  kind: "Scale",
  plural: "scales",
  namespaced: true,
  verbs: [],
  schema: "io.k8s.api.autoscaling.v1.Scale",
  hasGeneration: false,
})
