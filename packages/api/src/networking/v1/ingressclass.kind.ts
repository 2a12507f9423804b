/** IngressClass (networking.k8s.io/v1). Mirrors: pkg/registry/networking/ingressclass */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, nameColumn, text } from "../../columns.ts"
import { validateIngressClass } from "./networking.validate.ts"
import type { IngressClass } from "./types.gen.ts"

export const ingressClass: Kind<IngressClass> = defineKind<IngressClass>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "IngressClass",
  plural: "ingressclasses",
  namespaced: false,
  schema: "io.k8s.api.networking.v1.IngressClass",
  storagePrefix: "ingressclasses",
  columns: [
    nameColumn(({ metadata }) =>
      metadata.annotations?.["ingressclass.kubernetes.io/is-default-class"] === "true"
        ? `${metadata.name} (default)`
        : metadata.name,
    ),
    text("Controller", ({ spec }) => spec.controller ?? ""),
    text("Parameters", ({ spec: { parameters } }) => {
      if (!parameters) return "<none>"
      const kind =
        parameters.apiGroup === undefined ? parameters.kind : `${parameters.kind}.${parameters.apiGroup}`
      return `${kind}/${parameters.name}`
    }),
    age,
  ],
  setDefaults({ spec }) {
    if (spec?.parameters) spec.parameters.scope ??= "Cluster"
  },
  hasGeneration: true,
  validate: validateIngressClass,
})
