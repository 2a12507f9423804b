/** TokenRequest (authentication.k8s.io/v1). Mirrors: pkg/registry/authentication/tokenrequest */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { TokenRequest } from "./types.gen.ts"

export const tokenRequest: Kind<TokenRequest> = defineKind<TokenRequest>({
  group: "authentication.k8s.io",
  version: "v1",
  kind: "TokenRequest",
  plural: "tokenrequests",
  namespaced: true,
  verbs: [],
  schema: "io.k8s.api.authentication.v1.TokenRequest",
  hasGeneration: false,
})
