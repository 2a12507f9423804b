/** SelfSubjectReview (authentication.k8s.io/v1). Mirrors: pkg/registry/authentication/selfsubjectreview */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { SelfSubjectReview } from "./types.gen.ts"

export const selfSubjectReview: Kind<SelfSubjectReview> = defineKind<SelfSubjectReview>({
  group: "authentication.k8s.io",
  version: "v1",
  kind: "SelfSubjectReview",
  plural: "selfsubjectreviews",
  namespaced: false,
  verbs: ["create"],
  schema: "io.k8s.api.authentication.v1.SelfSubjectReview",
})
