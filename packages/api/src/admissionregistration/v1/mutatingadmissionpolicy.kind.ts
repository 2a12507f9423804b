/** MutatingAdmissionPolicy (admissionregistration.k8s.io/v1). Mirrors: pkg/registry/admissionregistration/mutatingadmissionpolicy */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { MutatingAdmissionPolicy } from "./types.gen.ts"

export const mutatingAdmissionPolicy: Kind<MutatingAdmissionPolicy> = defineKind<MutatingAdmissionPolicy>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "MutatingAdmissionPolicy",
  plural: "mutatingadmissionpolicies",
  categories: ["api-extensions"],
  namespaced: false,
  schema: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
  storagePrefix: "mutatingadmissionpolicies",
})
