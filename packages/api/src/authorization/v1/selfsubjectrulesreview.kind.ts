/** SelfSubjectRulesReview (authorization.k8s.io/v1). Mirrors: pkg/registry/authorization/selfsubjectrulesreview */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { SelfSubjectRulesReview } from "./types.gen.ts"

export const selfSubjectRulesReview: Kind<SelfSubjectRulesReview> = defineKind<SelfSubjectRulesReview>({
  group: "authorization.k8s.io",
  version: "v1",
  kind: "SelfSubjectRulesReview",
  plural: "selfsubjectrulesreviews",
  namespaced: false,
  verbs: ["create"],
  schema: "io.k8s.api.authorization.v1.SelfSubjectRulesReview",
})
