/** TokenReview (authentication.k8s.io/v1). Mirrors: pkg/registry/authentication/tokenreview */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { TokenReview } from "./types.gen.ts"

export const tokenReview: Kind<TokenReview> = defineKind<TokenReview>({
  group: "authentication.k8s.io",
  version: "v1",
  kind: "TokenReview",
  plural: "tokenreviews",
  namespaced: false,
  verbs: ["create"],
  schema: "io.k8s.api.authentication.v1.TokenReview",
})
