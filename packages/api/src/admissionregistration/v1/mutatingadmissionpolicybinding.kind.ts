/** MutatingAdmissionPolicyBinding (admissionregistration.k8s.io/v1). Mirrors: pkg/registry/admissionregistration/mutatingadmissionpolicybinding */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { paramRefText } from "./param-ref-text.ts"
import { age, text } from "../../columns.ts"
import { setPolicyBindingDefaults } from "./webhook.defaults.ts"
import { validateMutatingBinding } from "./policy-binding.validate.ts"
import { reservedNameWarnings } from "./reserved-name.ts"
import type { MutatingAdmissionPolicyBinding } from "./types.gen.ts"

export const mutatingAdmissionPolicyBinding: Kind<MutatingAdmissionPolicyBinding> =
  defineKind<MutatingAdmissionPolicyBinding>({
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "MutatingAdmissionPolicyBinding",
    plural: "mutatingadmissionpolicybindings",
    categories: ["api-extensions"],
    namespaced: false,
    finalizers: "qualified",
    schema: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
    storagePrefix: "mutatingadmissionpolicybindings",
    columns: [
      text("PolicyName", ({ spec }) => spec.policyName ?? ""),
      text("ParamRef", ({ spec }) => paramRefText(spec.paramRef)),
      age,
    ],
    setDefaults: setPolicyBindingDefaults,
    hasGeneration: true,
    validate: validateMutatingBinding,
    warnings: reservedNameWarnings,
    allowUnconditionalUpdate: false,
  })
