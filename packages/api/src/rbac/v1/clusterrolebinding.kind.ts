/** ClusterRoleBinding (rbac.authorization.k8s.io/v1). Mirrors: pkg/registry/rbac/clusterrolebinding */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { ClusterRoleBinding } from "./types.gen.ts"

export const clusterRoleBinding: Kind<ClusterRoleBinding> = defineKind<ClusterRoleBinding>({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "ClusterRoleBinding",
  plural: "clusterrolebindings",
  namespaced: false,
  schema: "io.k8s.api.rbac.v1.ClusterRoleBinding",
  storagePrefix: "clusterrolebindings",
})
