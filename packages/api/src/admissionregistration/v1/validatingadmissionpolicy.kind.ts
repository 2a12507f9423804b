/** ValidatingAdmissionPolicy (admissionregistration.k8s.io/v1). Mirrors: pkg/registry/admissionregistration/validatingadmissionpolicy */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { ValidatingAdmissionPolicy } from "./types.gen.ts"

export const validatingAdmissionPolicy: Kind<ValidatingAdmissionPolicy> =
  defineKind<ValidatingAdmissionPolicy>({
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "ValidatingAdmissionPolicy",
    plural: "validatingadmissionpolicies",
    categories: ["api-extensions"],
    namespaced: false,
    subresources: ["status"],
    schema: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
    storagePrefix: "validatingadmissionpolicies",
  })
