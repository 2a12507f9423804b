/** Role (rbac.authorization.k8s.io/v1). Mirrors: pkg/registry/rbac/role */
import { defineKind, type Kind, nameIsPathSegment } from "@knarr/apimachinery"
import { validateRole } from "./rbac.validate.ts"
import type { Role } from "./types.gen.ts"

export const role: Kind<Role> = defineKind<Role>({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "Role",
  plural: "roles",
  namespaced: true,
  schema: "io.k8s.api.rbac.v1.Role",
  storagePrefix: "roles",
  allowCreateOnUpdate: true,
  validateName: nameIsPathSegment,
  validate: validateRole,
})
