/** MutatingWebhookConfiguration (admissionregistration.k8s.io/v1). Mirrors: pkg/registry/admissionregistration/mutatingwebhookconfiguration */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, integer } from "../../columns.ts"
import { setWebhookDefaults } from "./webhook.defaults.ts"
import { validateWebhooks, webhookWarnings } from "./webhook.validate.ts"
import type { MutatingWebhookConfiguration } from "./types.gen.ts"

export const mutatingWebhookConfiguration: Kind<MutatingWebhookConfiguration> =
  defineKind<MutatingWebhookConfiguration>({
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "MutatingWebhookConfiguration",
    plural: "mutatingwebhookconfigurations",
    categories: ["api-extensions"],
    namespaced: false,
    finalizers: "qualified",
    schema: "io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
    storagePrefix: "mutatingwebhookconfigurations",
    columns: [integer("Webhooks", ({ webhooks }) => webhooks?.length ?? 0), age],
    setDefaults({ webhooks }) {
      for (const webhook of webhooks ?? []) {
        setWebhookDefaults(webhook)
        webhook.reinvocationPolicy ??= "Never"
      }
    },
    hasGeneration: true,
    validate: validateWebhooks,
    warnings: webhookWarnings,
    allowUnconditionalUpdate: false,
  })
