/** ValidatingWebhookConfiguration (admissionregistration.k8s.io/v1). Mirrors: pkg/registry/admissionregistration/validatingwebhookconfiguration */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, integer } from "../../columns.ts"
import { setWebhookDefaults } from "./webhook.defaults.ts"
import { validateWebhooks, webhookWarnings } from "./webhook.validate.ts"
import type { ValidatingWebhookConfiguration } from "./types.gen.ts"

export const validatingWebhookConfiguration: Kind<ValidatingWebhookConfiguration> =
  defineKind<ValidatingWebhookConfiguration>({
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "ValidatingWebhookConfiguration",
    plural: "validatingwebhookconfigurations",
    categories: ["api-extensions"],
    namespaced: false,
    finalizers: "qualified",
    schema: "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
    storagePrefix: "validatingwebhookconfigurations",
    columns: [integer("Webhooks", ({ webhooks }) => webhooks?.length ?? 0), age],
    setDefaults({ webhooks }) {
      for (const webhook of webhooks ?? []) setWebhookDefaults(webhook)
    },
    hasGeneration: true,
    validate: validateWebhooks,
    warnings: webhookWarnings,
    allowUnconditionalUpdate: false,
  })
