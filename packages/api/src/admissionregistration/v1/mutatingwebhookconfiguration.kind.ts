/** MutatingWebhookConfiguration (admissionregistration.k8s.io/v1). Mirrors: pkg/registry/admissionregistration/mutatingwebhookconfiguration */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { MutatingWebhookConfiguration } from "./types.gen.ts"

export const mutatingWebhookConfiguration: Kind<MutatingWebhookConfiguration> =
  defineKind<MutatingWebhookConfiguration>({
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "MutatingWebhookConfiguration",
    plural: "mutatingwebhookconfigurations",
    categories: ["api-extensions"],
    namespaced: false,
    schema: "io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
    storagePrefix: "mutatingwebhookconfigurations",
  })
