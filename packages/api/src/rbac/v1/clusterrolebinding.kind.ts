/** ClusterRoleBinding (rbac.authorization.k8s.io/v1). Mirrors: pkg/registry/rbac/clusterrolebinding */
import { defineKind, type Kind, nameIsPathSegment } from "@knarr/apimachinery"
import { age, text, wide } from "../../columns.ts"
import { subjectNames } from "./subjects-text.ts"
import { validateBindingUpdate, validateClusterRoleBinding } from "./rbac.validate.ts"
import type { ClusterRoleBinding } from "./types.gen.ts"

export const clusterRoleBinding: Kind<ClusterRoleBinding> = defineKind<ClusterRoleBinding>({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "ClusterRoleBinding",
  plural: "clusterrolebindings",
  namespaced: false,
  schema: "io.k8s.api.rbac.v1.ClusterRoleBinding",
  storagePrefix: "clusterrolebindings",
  columns: [
    text("Role", ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
    age,
    wide("Users", ({ subjects }) => subjectNames(subjects, "User")),
    wide("Groups", ({ subjects }) => subjectNames(subjects, "Group")),
    wide("ServiceAccounts", ({ subjects }) => subjectNames(subjects, "ServiceAccount")),
  ],
  setDefaults(obj) {
    obj.roleRef.apiGroup ||= "rbac.authorization.k8s.io"
    for (const subject of obj.subjects ?? []) {
      if (subject.kind === "User" || subject.kind === "Group")
        subject.apiGroup ||= "rbac.authorization.k8s.io"
    }
  },
  allowCreateOnUpdate: true,
  validateName: nameIsPathSegment,
  validate: validateClusterRoleBinding,
  validateUpdate: validateBindingUpdate,
})
