/** SubjectAccessReview (authorization.k8s.io/v1). Mirrors: pkg/registry/authorization/subjectaccessreview */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { SubjectAccessReview } from "./types.gen.ts"

export const subjectAccessReview: Kind<SubjectAccessReview> = defineKind<SubjectAccessReview>({
  group: "authorization.k8s.io",
  version: "v1",
  kind: "SubjectAccessReview",
  plural: "subjectaccessreviews",
  namespaced: false,
  verbs: ["create"],
  schema: "io.k8s.api.authorization.v1.SubjectAccessReview",
})
