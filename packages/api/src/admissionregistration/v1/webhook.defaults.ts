/** Defaults of admission configuration. Mirrors: pkg/apis/admissionregistration/v1/defaults.go */
import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhook,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhook,
} from "./types.gen.ts"

/** Defaults of one webhook of either kind. */
export function setWebhookDefaults(webhook: ValidatingWebhook | MutatingWebhook): void {
  webhook.failurePolicy ??= "Fail"
  webhook.matchPolicy ??= "Equivalent"
  webhook.namespaceSelector ??= {}
  webhook.objectSelector ??= {}
  webhook.timeoutSeconds ??= 10
  if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= 443
  for (const rule of webhook.rules ?? []) rule.scope ??= "*"
}

export function setPolicyDefaults(policy: ValidatingAdmissionPolicy | MutatingAdmissionPolicy): void {
  policy.spec.failurePolicy ??= "Fail"
  setMatchDefaults(policy.spec.matchConstraints)
}

export function setPolicyBindingDefaults(
  binding: ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding,
): void {
  setMatchDefaults(binding.spec.matchResources)
}

function setMatchDefaults(match: MatchResources | undefined): void {
  if (!match) return
  match.matchPolicy ??= "Equivalent"
  match.namespaceSelector ??= {}
  match.objectSelector ??= {}
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])])
    rule.scope ??= "*"
}
