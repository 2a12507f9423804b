/** RoleBinding (rbac.authorization.k8s.io/v1). Mirrors: pkg/registry/rbac/rolebinding */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { RoleBinding } from "./types.gen.ts"

export const roleBinding: Kind<RoleBinding> = defineKind<RoleBinding>({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "RoleBinding",
  plural: "rolebindings",
  namespaced: true,
  schema: "io.k8s.api.rbac.v1.RoleBinding",
  storagePrefix: "rolebindings",
})
