/** ValidatingAdmissionPolicy (admissionregistration.k8s.io/v1). Mirrors: pkg/registry/admissionregistration/validatingadmissionpolicy */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, integer, text } from "../../columns.ts"
import { setPolicyDefaults } from "./webhook.defaults.ts"
import { validateValidatingPolicy, validateValidatingPolicyStatus } from "./policy.validate.ts"
import { reservedNameWarnings } from "./reserved-name.ts"
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
    statusKeeps: "metadata",
    finalizers: "qualified",
    schema: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
    storagePrefix: "validatingadmissionpolicies",
    columns: [
      integer("Validations", ({ spec }) => spec.validations?.length ?? 0),
      text("ParamKind", ({ spec: { paramKind } }) =>
        paramKind ? `${paramKind.apiVersion ?? ""}/${paramKind.kind ?? ""}` : "<unset>",
      ),
      age,
    ],
    setDefaults: setPolicyDefaults,
    hasGeneration: true,
    validate: validateValidatingPolicy,
    validateStatusUpdate: validateValidatingPolicyStatus,
    warnings: reservedNameWarnings,
    allowUnconditionalUpdate: false,
  })
