/** LocalSubjectAccessReview (authorization.k8s.io/v1). Mirrors: pkg/registry/authorization/localsubjectaccessreview */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { LocalSubjectAccessReview } from "./types.gen.ts"

export const localSubjectAccessReview: Kind<LocalSubjectAccessReview> = defineKind<LocalSubjectAccessReview>({
  group: "authorization.k8s.io",
  version: "v1",
  kind: "LocalSubjectAccessReview",
  plural: "localsubjectaccessreviews",
  namespaced: true,
  verbs: ["create"],
  schema: "io.k8s.api.authorization.v1.LocalSubjectAccessReview",
})
