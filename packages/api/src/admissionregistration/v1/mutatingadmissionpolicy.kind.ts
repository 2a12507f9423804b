/** MutatingAdmissionPolicy (admissionregistration.k8s.io/v1). Mirrors: pkg/registry/admissionregistration/mutatingadmissionpolicy */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, integer, text } from "../../columns.ts"
import { setPolicyDefaults } from "./webhook.defaults.ts"
import { validateMutatingPolicy } from "./policy.validate.ts"
import { reservedNameWarnings } from "./reserved-name.ts"
import type { MutatingAdmissionPolicy } from "./types.gen.ts"

export const mutatingAdmissionPolicy: Kind<MutatingAdmissionPolicy> = defineKind<MutatingAdmissionPolicy>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "MutatingAdmissionPolicy",
  plural: "mutatingadmissionpolicies",
  categories: ["api-extensions"],
  namespaced: false,
  finalizers: "qualified",
  schema: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
  storagePrefix: "mutatingadmissionpolicies",
  columns: [
    integer("Mutations", ({ spec }) => spec.mutations?.length ?? 0),
    text("ParamKind", ({ spec: { paramKind } }) =>
      paramKind ? `${paramKind.apiVersion ?? ""}/${paramKind.kind ?? ""}` : "<unset>",
    ),
    age,
  ],
  setDefaults: setPolicyDefaults,
  hasGeneration: true,
  validate: validateMutatingPolicy,
  warnings: reservedNameWarnings,
  allowUnconditionalUpdate: false,
})
