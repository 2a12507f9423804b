/** SelfSubjectAccessReview (authorization.k8s.io/v1). Mirrors: pkg/registry/authorization/selfsubjectaccessreview */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { SelfSubjectAccessReview } from "./types.gen.ts"

export const selfSubjectAccessReview: Kind<SelfSubjectAccessReview> = defineKind<SelfSubjectAccessReview>({
  group: "authorization.k8s.io",
  version: "v1",
  kind: "SelfSubjectAccessReview",
  plural: "selfsubjectaccessreviews",
  namespaced: false,
  verbs: ["create"],
  schema: "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
})
