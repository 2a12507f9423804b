/** ClusterRole (rbac.authorization.k8s.io/v1). Mirrors: pkg/registry/rbac/clusterrole */
import { defineKind, type Kind, nameIsPathSegment } from "@knarr/apimachinery"
import { validateClusterRole } from "./rbac.validate.ts"
import type { ClusterRole } from "./types.gen.ts"

export const clusterRole: Kind<ClusterRole> = defineKind<ClusterRole>({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "ClusterRole",
  plural: "clusterroles",
  namespaced: false,
  schema: "io.k8s.api.rbac.v1.ClusterRole",
  storagePrefix: "clusterroles",
  allowCreateOnUpdate: true,
  validateName: nameIsPathSegment,
  validate: validateClusterRole,
})
