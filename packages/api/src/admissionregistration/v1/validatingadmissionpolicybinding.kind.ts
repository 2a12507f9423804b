/** ValidatingAdmissionPolicyBinding (admissionregistration.k8s.io/v1). Mirrors: pkg/registry/admissionregistration/validatingadmissionpolicybinding */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { paramRefText } from "./param-ref-text.ts"
import { age, text } from "../../columns.ts"
import { setPolicyBindingDefaults } from "./webhook.defaults.ts"
import { validateValidatingBinding } from "./policy-binding.validate.ts"
import { reservedNameWarnings } from "./reserved-name.ts"
import type { ValidatingAdmissionPolicyBinding } from "./types.gen.ts"

export const validatingAdmissionPolicyBinding: Kind<ValidatingAdmissionPolicyBinding> =
  defineKind<ValidatingAdmissionPolicyBinding>({
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "ValidatingAdmissionPolicyBinding",
    plural: "validatingadmissionpolicybindings",
    categories: ["api-extensions"],
    namespaced: false,
    finalizers: "qualified",
    schema: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
    storagePrefix: "validatingadmissionpolicybindings",
    columns: [
      text("PolicyName", ({ spec }) => spec.policyName ?? ""),
      text("ParamRef", ({ spec }) => paramRefText(spec.paramRef)),
      age,
    ],
    setDefaults: setPolicyBindingDefaults,
    hasGeneration: true,
    validate: validateValidatingBinding,
    warnings: reservedNameWarnings,
    allowUnconditionalUpdate: false,
  })
